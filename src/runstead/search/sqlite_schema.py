"""The file `search.db`: what is in it can be made anew from the uploaded files, so another schema begins with nothing."""

import sqlite3
from contextlib import suppress
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

VERSION = 1
_BUSY_MS = 10_000

_SCHEMA = """
CREATE TABLE stores (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    -- Rises with every change: what is in memory is compared with it.
    version INTEGER NOT NULL
);
CREATE TABLE files (
    -- Never given twice, because matrices in memory go by it.
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    store_no INTEGER NOT NULL REFERENCES stores (no),
    file_id TEXT NOT NULL,
    embedding TEXT,
    dimensions INTEGER NOT NULL,
    windows INTEGER NOT NULL,
    attributes TEXT NOT NULL,
    UNIQUE (store_no, file_id)
);
CREATE TABLE chunks (
    no INTEGER PRIMARY KEY,
    file_no INTEGER NOT NULL REFERENCES files (no),
    position INTEGER NOT NULL,
    begins INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    -- A word that stands for the store, so that its chunks are found like those with any other word.
    scope TEXT NOT NULL,
    text TEXT NOT NULL,
    UNIQUE (file_no, position)
);
CREATE TABLE vectors (
    file_no INTEGER NOT NULL REFERENCES files (no),
    block INTEGER NOT NULL,
    positions BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (file_no, block)
);
CREATE VIRTUAL TABLE words USING fts5 (
    scope, text, content = 'chunks', content_rowid = 'no', tokenize = 'porter unicode61'
);
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (words, col);
"""


def open_writer(path: Path) -> sqlite3.Connection:
    """A connection to a file of today's schema; one that is damaged or of another time is begun anew."""
    try:
        connection = _connect(path)
        try:
            if _prepare(connection):
                return connection
        except BaseException:
            connection.close()
            raise
        connection.close()
        reason = "it is of another release"
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        reason = str(error)
    log.warning("the search index is made anew, its files have to be read again", file=str(path), reason=reason)
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).unlink()
    connection = _connect(path)
    _prepare(connection)
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    connection = _connect(path)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_MS / 1000)
    connection.execute("PRAGMA cache_size = -16384")
    connection.execute("PRAGMA mmap_size = 1073741824")
    return connection


def _prepare(connection: sqlite3.Connection) -> bool:
    """Whether the file is of today's schema, which an empty one is given."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0 and not connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
        connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        return True
    # What is damaged further inside is found when it is read.
    return bool(version == VERSION)
