"""A look at a SQLite file without serving it: nothing is written, locked or migrated."""

import os
import sqlite3
from pathlib import Path

from msgspec import Struct

from runstead.store.errors import UnusableDatabase
from runstead.store.migrate import may_serve, packaged_migrations


class DatabaseState(Struct, frozen=True):
    """The schema's version in the file, the one this program writes, whether it may serve it, and who does."""

    version: int
    known: int
    may_serve: bool
    holder: str | None


def inspect_file(path: Path) -> DatabaseState:
    """Raises UnusableDatabase for what is not a database of ours."""
    try:
        applied = _applied(path)
    except sqlite3.Error as error:
        raise UnusableDatabase(str(path), str(error)) from None
    known = packaged_migrations("sqlite")
    return DatabaseState(max(applied, default=0), known[-1].version, may_serve(applied, known), _holder(path))


def _applied(path: Path) -> dict[int, str]:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'migrations'").fetchone() is None:
            return {}
        return dict(connection.execute("SELECT version, name FROM migrations").fetchall())
    finally:
        connection.close()


def _holder(database: Path) -> str | None:
    """The process that holds the database's lock, by the kernel's list: trying the lock would hold it for a moment."""
    try:
        status = database.with_name(f"{database.name}.lock").stat()
        locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    wanted = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    for line in locks:
        # «1: FLOCK  ADVISORY  WRITE 4711 fe:00:131 0 EOF»
        fields = line.split()
        if len(fields) > 5 and fields[1] == "FLOCK" and fields[5] == wanted:
            return fields[4]
    return None
