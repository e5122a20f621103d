"""The Store over PostgreSQL: groups of changes in one round trip, reads on a few connections, the database's clock."""

import asyncio
from collections.abc import Sequence
from typing import Any, Self

from msgspec import structs

from runstead.domain.change import Change
from runstead.domain.errors import Stale
from runstead.domain.records import RunRecord
from runstead.ports import Clock, Snapshot
from runstead.store.changes import steps
from runstead.store.migrate import packaged_migrations
from runstead.store.postgres_clock import DatabaseClock
from runstead.store.postgres_connections import Limits, Readers, Server, close_politely
from runstead.store.postgres_dialect import (
    RENEW_CODE_SESSIONS,
    RENEW_LEASES,
    THREADS_WITH_METADATA,
    asked_alone,
    values,
)
from runstead.store.postgres_migrate import migrate
from runstead.store.postgres_opening import told_clearly
from runstead.store.postgres_plan import Unchanged, plan_of
from runstead.store.postgres_snapshot import READ_SNAPSHOT, snapshot_of
from runstead.store.postgres_writer import PostgresWriter
from runstead.store.reads import SqlReads
from runstead.store.rows import Row
from runstead.store.steps import Step, Swap
from runstead.wire.base import RunId, ThreadId
from runstead.wire.runs import RunStatus

# How often a change may find that a body says what was read in other bytes than it found there before.
_REREADS = 3
# A clock that is only asked, and never told by answers to writes, is measured by this.
_TELL_TIME = "SELECT extract(epoch FROM clock_timestamp())::float8"
_TELL_TIME_EVERY = 10.0  # seconds
_CLOSE_WITHIN = 0.7  # seconds


class PostgresStore(SqlReads):
    """Belongs to the event loop that opened it. Any number of them may serve one database.

    `clock` is the database's: who judges leases that others wrote must go by it and not by his own.
    """

    threads_with_metadata = THREADS_WITH_METADATA

    def __init__(self, server: Server, clock: Clock | None) -> None:
        self.clock: Clock = clock or server.clock
        self._server = server
        self._readers = Readers(server)
        self._writer = PostgresWriter(server)

    @classmethod
    async def open(cls, url: str, clock: Clock | None = None, limits: Limits | None = None) -> Self:
        """Serve a database that exists, bringing its schema up to date. Raises UnusableDatabase.

        The clock says since when a run is queued; by default the store's own does.
        """
        server = Server(url, limits or Limits(), DatabaseClock())
        with told_clearly(server.where):
            connection = await server.connect()
            try:
                await migrate(connection, server.where, packaged_migrations("postgres"))
            finally:
                await close_politely(connection)
            store = cls(server, clock)
            try:
                await store._writer.begin()
            except BaseException:
                await store.close()
                raise
        return store

    async def commit(self, change: Change) -> None:
        if not change.writes:
            return
        now = self.clock.now()
        plan = [step for write in change.writes for step in steps(write, now)]
        for _ in range(_REREADS):
            refusal = await self._writer.commit(plan_of(change.writes, plan))
            if refusal is None:
                return
            if not isinstance(refusal, Unchanged):
                raise refusal
            plan = await self._with_the_bytes_found(plan, refusal.step)
        raise Stale("an object")

    async def _with_the_bytes_found(self, plan: Sequence[Step], swap: Swap) -> list[Step]:
        """The plan with a body as another release wrote it, if it says the same. Raises the refusal of who lost."""
        found = await self.find_row(swap.get, swap.row)
        if found is None or not swap.is_unchanged(found[0]):
            raise swap.refusal
        as_found = structs.replace(swap, was=found[0].encode())
        return [as_found if step is swap else step for step in plan]

    async def renew(self, owner: str, lease_until: float) -> dict[RunId, tuple[int, RunStatus]]:
        held = await self._writer.renew(RENEW_LEASES, {"owner": owner, "lease_until": lease_until})
        return {id: (epoch, status) for id, epoch, status in held}

    async def renew_code_sessions(self, owner: str, lease_until: float) -> dict[ThreadId, int]:
        held = await self._writer.renew(RENEW_CODE_SESSIONS, {"owner": owner, "lease_until": lease_until})
        return {ThreadId(thread_id): generation for thread_id, generation in held}

    async def due(self, now: float, waiting_since: float, limit: int) -> list[RunRecord]:
        if self._server.clock.age > _TELL_TIME_EVERY:
            sent_at = self._server.clock.start()
            self._server.clock.measured(sent_at, (await self._readers.fetch(_TELL_TIME, ()))[0][0])
        return await super().due(now, waiting_since, limit)

    async def snapshot(self, run_id: RunId, max_bytes: int) -> Snapshot | None:
        return snapshot_of(await self.all_rows(READ_SNAPSHOT, {"run_id": run_id, "max_bytes": max_bytes}))

    async def find_row(self, statement: str, row: Row) -> Sequence[Any] | None:
        found = await self.all_rows(statement, row)
        return found[0] if found else None

    async def all_rows(self, statement: str, row: Row) -> Sequence[Sequence[Any]]:
        sql, names = asked_alone(statement)
        return await self._readers.fetch(sql, values(names, row))

    async def close(self) -> None:
        try:
            # What was accepted is finished, unless the server is silent: then nobody is helped by waiting.
            async with asyncio.timeout(_CLOSE_WITHIN):
                await self._writer.close()
                await self._readers.close()
        except TimeoutError:
            await self._writer.give_up()
        await self._server.pulse.stop()
