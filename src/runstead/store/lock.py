"""One server per database file. Several servers on one truth are what PostgreSQL is for."""

import fcntl
import os
from pathlib import Path

from runstead.store.errors import DatabaseInUse


class DataDirLock:
    """An exclusive lock on `<database>.lock`, which the kernel drops with its holder, however that dies.

    The file stays behind on purpose: removing it would let two servers lock two different files of one name.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = database.with_name(f"{database.name}.lock")
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Raises DatabaseInUse, which names the holder."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise DatabaseInUse(self._database, holder) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Harmless when not held."""
        if self._descriptor is not None:
            # Emptied first: a reader of the file must not be told of a process that is long gone.
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None
