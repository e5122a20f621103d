"""How the two connections of a SQLite store are opened: one that writes and one that reads."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from runstead.store.errors import UnusableDatabase

_BUSY_MS = 5_000
# Above the number of named statements, or the hot ones would be compiled anew.
_CACHED_STATEMENTS = 256
_PAGE_CACHE_KIB = 16_384
_CHECKPOINT_PAGES = 4_000

_memory_names = count(1)


def new_memory_address() -> str:
    """An address that connections of this process share and that vanishes with the last of them.

    A shared *database* and not a shared *cache*: with the latter a reader meets "table is locked" errors that
    no timeout waits for, or reads what is not committed.
    """
    return f"file:/runstead-{next(_memory_names)}?vfs=memdb"


def file_address(path: Path) -> str:
    return path.absolute().as_uri()


def connect_writer(address: str, where: str) -> sqlite3.Connection:
    """A connection whose COMMIT returns when the data would survive a power failure."""
    with _closed_if_unfit(_connect(address)) as connection:
        _prepare_to_write(connection, address, where)
    return connection


@contextmanager
def _closed_if_unfit(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Of a file that is no database, any of the first things asked may fail; which one depends on the damage."""
    try:
        yield connection
    except BaseException:
        connection.close()
        raise


def _prepare_to_write(connection: sqlite3.Connection, address: str, where: str) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal" and "vfs=memdb" not in address:
        raise UnusableDatabase(where, "its file system does not support write-ahead logging; use a local disk")
    connection.execute("PRAGMA synchronous = FULL")
    # Copied back less often than by default, because a page that many runs touch is then copied once.
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    # Elsewhere than on macOS without effect; there an fsync alone does not reach the disk.
    connection.execute("PRAGMA fullfsync = ON")
    connection.execute("PRAGMA foreign_keys = ON")
    # The undo log of a savepoint stays in memory.
    connection.execute("PRAGMA temp_store = MEMORY")


def connect_reader(address: str) -> sqlite3.Connection:
    """A connection that cannot write. In WAL mode it never waits for the writer, nor the writer for it."""
    with _closed_if_unfit(_connect(address)) as connection:
        connection.execute("PRAGMA query_only = ON")
    return connection


def _connect(address: str) -> sqlite3.Connection:
    opened = sqlite3.connect(
        address,
        uri=True,
        isolation_level=None,
        cached_statements=_CACHED_STATEMENTS,
        # Opened on one thread and used on another, never by two at once.
        check_same_thread=False,
    )
    with _closed_if_unfit(opened) as connection:
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        connection.execute(f"PRAGMA cache_size = -{_PAGE_CACHE_KIB}")
    return connection
