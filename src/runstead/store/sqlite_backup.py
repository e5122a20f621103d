"""A copy of a SQLite file at one moment, taken while a server writes to it."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from runstead.store.errors import UnusableDatabase
from runstead.store.inspection import inspect_file


def copy_database(source: Path, target: Path) -> int:
    """Copy all that is committed now into a file that is not there yet; the version of its schema.

    Raises UnusableDatabase, OSError for the disk that is written to.
    """
    if not source.exists():
        raise UnusableDatabase(str(source), "there is none yet; it is made when the server starts")
    version = inspect_file(source).version
    if not version:
        raise UnusableDatabase(str(source), "it is not one of ours")
    copy_file(source, target)
    return version


def copy_file(source: Path, target: Path) -> None:
    """The same for any SQLite file: its copy is checked and on the disk."""
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reading,
            closing(sqlite3.connect(target, isolation_level=None)) as writing,
        ):
            # In one step, which sees one moment: with several, every commit meanwhile would begin the copy anew.
            # Nobody waits for it, but the log of writes grows until it is done.
            reading.backup(writing)
            # A file of its own, without a log beside it that somebody would have to know of.
            writing.execute("PRAGMA journal_mode = DELETE")
            _check(writing, source)
    except sqlite3.Error as error:
        raise UnusableDatabase(str(source), f"it cannot be copied ({error})") from error
    target.chmod(0o600)
    _sync(target)


def _check(copy: sqlite3.Connection, source: Path) -> None:
    found = [row[0] for row in copy.execute("PRAGMA integrity_check(3)")]
    if found != ["ok"]:
        raise UnusableDatabase(str(source), f"it is damaged, and so would be its copy ({'; '.join(found)})")
    if copy.execute("PRAGMA foreign_key_check").fetchone() is not None:
        raise UnusableDatabase(str(source), "it is damaged: something in it belongs to nothing")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
