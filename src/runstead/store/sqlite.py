"""The Store over SQLite: reads where they are asked, writes in one thread, a lock on the file."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Self

from runstead.domain.change import Change
from runstead.ports import Clock
from runstead.store import statements
from runstead.store.changes import steps
from runstead.store.errors import UnusableDatabase
from runstead.store.lock import DataDirLock
from runstead.store.migrate import migrate, packaged_migrations
from runstead.store.sqlite_changes import carry_out
from runstead.store.sqlite_connections import connect_reader, connect_writer, file_address, new_memory_address
from runstead.store.sqlite_reads import SqliteReads
from runstead.store.sqlite_writer import SqliteWriter
from runstead.wire.base import RunId, ThreadId
from runstead.wire.runs import RunStatus


class SqliteStore(SqliteReads):
    """Belongs to the event loop that opened it."""

    def __init__(
        self, reader: sqlite3.Connection, writer: SqliteWriter, clock: Clock, lock: DataDirLock | None
    ) -> None:
        super().__init__(reader)
        self._writer = writer
        self._clock = clock
        self._lock = lock

    @classmethod
    async def open_file(cls, path: Path, clock: Clock) -> Self:
        """Serve a file, made if it is not there. Raises UnusableDatabase.

        The clock says since when a run is queued.
        """
        lock = DataDirLock(path)
        try:
            await asyncio.to_thread(lock.acquire)
            connections = await asyncio.to_thread(_connect, file_address(path), str(path))
        except OSError as error:
            lock.release()
            raise UnusableDatabase(str(path), error.strerror or str(error)) from error
        except BaseException:
            lock.release()
            raise
        return cls._over(connections, clock, lock)

    @classmethod
    async def open_memory(cls, clock: Clock) -> Self:
        """A database of its own that ends with the store."""
        return cls._over(_connect(new_memory_address(), "in memory"), clock, None)

    @classmethod
    def _over(
        cls, connections: tuple[sqlite3.Connection, sqlite3.Connection], clock: Clock, lock: DataDirLock | None
    ) -> Self:
        writing, reading = connections
        return cls(reading, SqliteWriter(writing, asyncio.get_running_loop()), clock, lock)

    async def commit(self, change: Change) -> None:
        if not change.writes:
            return
        now = self._clock.now()
        plan = [step for write in change.writes for step in steps(write, now)]

        def apply(connection: sqlite3.Connection) -> None:
            for step in plan:
                carry_out(connection, step)

        await self._writer.do(apply)

    async def renew(self, owner: str, lease_until: float) -> dict[RunId, tuple[int, RunStatus]]:
        row = {"owner": owner, "lease_until": lease_until}

        def apply(connection: sqlite3.Connection) -> dict[RunId, tuple[int, RunStatus]]:
            connection.execute(statements.RENEW_LEASES, row)
            held = connection.execute(statements.LIST_LEASES, row).fetchall()
            return {id: (epoch, status) for id, epoch, status in held}

        return await self._writer.do(apply)

    async def renew_code_sessions(self, owner: str, lease_until: float) -> dict[ThreadId, int]:
        row = {"owner": owner, "lease_until": lease_until}

        def apply(connection: sqlite3.Connection) -> dict[ThreadId, int]:
            connection.execute(statements.RENEW_CODE_SESSIONS, row)
            return dict(connection.execute(statements.LIST_CODE_SESSIONS, row).fetchall())

        return await self._writer.do(apply)

    async def close(self) -> None:
        await self._writer.close()
        self._reader.close()
        if self._lock is not None:
            self._lock.release()


def _connect(address: str, where: str) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """The writing and the reading connection of a migrated database."""
    opened: list[sqlite3.Connection] = []
    try:
        writing = connect_writer(address, where)
        opened.append(writing)
        migrate(writing, where, packaged_migrations("sqlite"))
        reading = connect_reader(address)
        opened.append(reading)
        # The first read opens the file; what is wrong with it is said now and not to the first client.
        reading.execute(statements.NEXT_DEADLINE).fetchone()
    except sqlite3.Error as error:
        _close(opened)
        raise UnusableDatabase(where, str(error)) from error
    except BaseException:
        _close(opened)
        raise
    return writing, reading


def _close(connections: list[sqlite3.Connection]) -> None:
    for connection in connections:
        connection.close()
