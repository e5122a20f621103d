"""The reading half of the Store over SQLite: on the loop's thread, because a hand-over costs more than a read."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from runstead.domain.errors import Unavailable
from runstead.ports import Snapshot
from runstead.store import statements
from runstead.store.reads import SqlReads
from runstead.store.rows import Row
from runstead.store.sqlite_snapshot import read_snapshot
from runstead.wire.base import RunId


class SqliteReads(SqlReads):
    """Every read opens and closes its own view of the database."""

    threads_with_metadata = statements.THREADS_WITH_METADATA

    def __init__(self, reader: sqlite3.Connection) -> None:
        self._reader = reader

    async def find_row(self, statement: str, row: Row) -> Sequence[Any] | None:
        with _answering():
            found: tuple[Any, ...] | None = self._reader.execute(statement, row).fetchone()
            return found

    async def all_rows(self, statement: str, row: Row) -> Sequence[Sequence[Any]]:
        with _answering():
            return self._reader.execute(statement, row).fetchall()

    async def snapshot(self, run_id: RunId, max_bytes: int) -> Snapshot | None:
        with _answering(), self._moment() as connection:
            return read_snapshot(connection, run_id, max_bytes)

    @contextmanager
    def _moment(self) -> Iterator[sqlite3.Connection]:
        """Several statements that see the same commits."""
        self._reader.execute("BEGIN")
        try:
            yield self._reader
        finally:
            self._reader.execute("ROLLBACK")


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise Unavailable(f"The database cannot be read: {error}.") from error
