"""Group commit over one connection: what waits together is one call of `apply_changes`, in one round trip.

The road and those not taken: docs/design/store.md.
"""

import asyncio
import random
import secrets
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

import asyncpg
from msgspec import Struct

from runstead.domain.errors import RunsteadError, Unavailable
from runstead.store.errors import UnusableDatabase
from runstead.store.postgres_connections import TROUBLE, Connection, Server, close_politely, unavailable
from runstead.store.postgres_dialect import asked_alone, values
from runstead.store.postgres_plan import Plan
from runstead.store.rows import Row

T = TypeVar("T")

# Above 64 subtransactions PostgreSQL has to look each of them up on disk.
_LARGEST_GROUP = 60
# What one call may carry in all, unless a single change is larger.
_LARGEST_CALL = 4_000_000
_TRIES = 5
_PAUSE, _LONGEST_PAUSE = 0.05, 1.0

_APPLY = "SELECT * FROM apply_changes($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
# Waits for a group of ours that is still under way, and shuts out one that has not begun.
_BEGIN_WRITING = """
INSERT INTO writers AS known (id, term) VALUES ($1, 1)
    ON CONFLICT (id) DO UPDATE SET term = known.term + 1, seen_at = now()
RETURNING term, number, outcomes
"""
_FORGET_THE_DEAD = "DELETE FROM writers WHERE seen_at < now() - interval '7 days'"
_STOP_WRITING = "DELETE FROM writers WHERE id = $1"

# Another group, of this node or another, stood in the way; the transaction is undone.
_COLLISIONS = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
_OBSTACLES = (*_COLLISIONS, asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)


class _Job:
    """A change, or the renewal of an owner's leases (a statement and its row), and who waits for it."""

    __slots__ = ("future", "plan", "renewal")

    def __init__(self, plan: Plan | None, renewal: tuple[str, Row] | None, future: "asyncio.Future[Any]") -> None:
        self.plan = plan
        self.renewal = renewal
        self.future = future

    def done(self, value: object = None) -> None:
        """A waiter that was cancelled meanwhile does not hear."""
        if not self.future.done():
            self.future.set_result(value)

    def failed(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class _Session(Struct):
    """A connection that writes under a term of ours."""

    connection: Connection
    term: int
    # The last group that was committed before the term began, and what became of its changes.
    number: int
    outcomes: list[str | None]


class PostgresWriter:
    """Carries changes out in the order in which they were asked, each whole or not at all."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._id = f"writer_{secrets.token_hex(12)}"
        self._session: _Session | None = None
        self._number = 0
        self._waiting: list[_Job] = []
        self._wanted = asyncio.Event()
        self._is_closing = False
        self._task = asyncio.create_task(self._serve(), name="runstead-store")
        server.pulse.on_silence(self._abandon)

    async def commit(self, plan: Plan) -> RunsteadError | None:
        """Wait until a change is durable, or refused. Raises Unavailable.

        A waiter that is cancelled leaves its change behind: it may still be carried out.
        """
        refusal: RunsteadError | None = await self._do(_Job(plan, None, asyncio.get_running_loop().create_future()))
        return refusal

    async def renew(self, statement: str, row: Row) -> Sequence[Sequence[Any]]:
        """In its turn among the changes, so that none of ours falls in between. Raises Unavailable."""
        held: Sequence[Sequence[Any]] = await self._do(
            _Job(None, (statement, row), asyncio.get_running_loop().create_future())
        )
        return held

    async def _do(self, job: _Job) -> Any:
        if self._is_closing:
            raise Unavailable("The store is closed.")
        self._waiting.append(job)
        self._wanted.set()
        return await job.future

    async def begin(self) -> None:
        """Take up writing, so that what stands in the way is known at the start. Raises what connecting raises."""
        self._session = await self._begin_session()
        await self._session.connection.execute(_FORGET_THE_DEAD)

    async def close(self) -> None:
        """Finish what was accepted."""
        self._is_closing = True
        self._wanted.set()
        await asyncio.shield(self._task)

    async def give_up(self) -> None:
        """Leave unfinished what the server does not answer; those who wait are told."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._abandon()
        for job in self._waiting:
            job.failed(Unavailable("The store is closed."))
        self._waiting.clear()

    async def _serve(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._waiting:
                await self._serve_some(self._next())
            if self._is_closing:
                break
        if self._session is not None:
            try:
                await self._session.connection.execute(_STOP_WRITING, self._id)
            except TROUBLE:
                # Its row is forgotten in a week.
                self._session.connection.terminate()
            await close_politely(self._session.connection)

    def _next(self) -> list[_Job]:
        """The changes at the head of the queue, or the one renewal."""
        size = taken = 0
        for job in self._waiting[:_LARGEST_GROUP]:
            if job.plan is None:
                break
            size += job.plan.size
            if taken and size > _LARGEST_CALL:
                break
            taken += 1
        group = self._waiting[: max(taken, 1)]
        del self._waiting[: max(taken, 1)]
        return group

    async def _serve_some(self, group: list[_Job]) -> None:
        try:
            if group[0].plan is None:
                await self._renew(group[0])
            else:
                await self._apply(group)
        except Unavailable as error:
            for job in group:
                job.failed(error)
        except BaseException as error:
            # Nobody may wait for ever, whatever it is, and nobody may meet it again.
            self._abandon()
            for job in group:
                job.failed(error)
            if not isinstance(error, Exception):
                raise

    async def _renew(self, job: _Job) -> None:
        assert job.renewal is not None
        renewing, row = job.renewal
        statement, names = asked_alone(renewing)
        arguments = values(names, row)
        for is_last in (False, True):
            session = await self._writing()
            try:
                job.done(await self._watched(session, session.connection.fetch(statement, *arguments)))
                return
            except _OBSTACLES as error:
                raise unavailable(error) from error
            except TROUBLE as error:
                # Done or not, it may be done again.
                self._abandon()
                if is_last:
                    raise unavailable(error) from error

    async def _apply(self, group: list[_Job]) -> None:
        """Each change of a group hears its own fate; what stands in one's way must not stop the others."""
        for attempt in range(_TRIES):
            try:
                self._tell(group, await self._call(group))
            except _OBSTACLES as error:
                if len(group) > 1:
                    for job in group:
                        await self._serve_some([job])
                elif isinstance(error, _COLLISIONS) and attempt + 1 < _TRIES:
                    await asyncio.sleep(random.uniform(0, _PAUSE * 2**attempt))
                    continue
                else:
                    raise unavailable(error) from error
            return

    def _tell(self, group: list[_Job], outcomes: Sequence[str | None]) -> None:
        first_step = 0
        for job, outcome in zip(group, outcomes, strict=True):
            assert job.plan is not None
            if outcome is None:
                job.done()
            else:
                step, code, detail = outcome.split(" ", 2)
                try:
                    job.done(job.plan.refusal(int(step) - first_step, code, detail))
                except RuntimeError as error:
                    job.failed(error)
            first_step += len(job.plan.statements)

    async def _call(self, group: list[_Job]) -> Sequence[str | None]:
        """What became of each change, once that is durable. Raises Unavailable if nothing was done, or an obstacle."""
        call = _call_of([job.plan for job in group if job.plan is not None])
        for is_last in (False, True):
            try:
                return await self._send(call)
            except _OBSTACLES:
                raise
            except TROUBLE as error:
                # The connection is gone and the COMMIT with it, or not: our row in the database knows. If that cannot
                # be asked for so long that nobody would wait, then alone is it unknown.
                session = await self._writing()
                if session.number == self._number:
                    return session.outcomes
                # It was not done and cannot be done late, as if never sent. Often the server left while nothing was
                # asked; one that did not answer in time is not asked twice.
                if is_last or isinstance(error, TimeoutError):
                    raise unavailable(error) from error
        raise AssertionError

    async def _send(self, call: Sequence[Any]) -> Sequence[str | None]:
        """One group under the next number. Raises TROUBLE, and then the session is gone unless it was an obstacle."""
        session = await self._writing()
        self._number += 1
        sent_at = self._server.clock.start()
        try:
            asked = session.connection.fetchrow(_APPLY, self._id, session.term, self._number, *call)
            row = await self._watched(session, asked)
        except _OBSTACLES:
            raise
        except TROUBLE:
            self._abandon()
            raise
        assert row is not None
        self._server.clock.measured(sent_at, row[1])
        outcomes: list[str | None] = row[0]
        return outcomes

    async def _writing(self) -> _Session:
        """The session, taken up anew if need be, within the time that is worth waiting. Raises Unavailable."""
        if self._session is not None and not self._session.connection.is_closed():
            return self._session
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._server.limits.patience
        pause = _PAUSE
        while True:
            try:
                self._session = await self._begin_session()
            except (*TROUBLE, UnusableDatabase, Unavailable) as error:
                if loop.time() + pause > give_up_at:
                    raise error if isinstance(error, Unavailable) else unavailable(error) from error
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                return self._session

    async def _watched(self, session: _Session, answer: Awaitable[T]) -> T:
        return await self._server.pulse.watched(session.connection, answer)

    async def _begin_session(self) -> _Session:
        connection = await self._server.connect()
        try:
            row = await self._server.pulse.watched(connection, connection.fetchrow(_BEGIN_WRITING, self._id))
        except BaseException:
            connection.terminate()
            raise
        assert row is not None
        return _Session(connection, row[0], row[1], row[2])

    def _abandon(self) -> None:
        if self._session is not None:
            self._session.connection.terminate()
            self._session = None


def _call_of(plans: Sequence[Plan]) -> Sequence[Any]:
    """The arguments of `apply_changes` that say what to do."""
    return (
        sorted({id for plan in plans for id in plan.thread_ids}),
        sorted({id for plan in plans for id in plan.run_ids}),
        [len(plan.statements) for plan in plans],
        "".join(plan.kinds for plan in plans),
        [statement for plan in plans for statement in plan.statements],
        [arity for plan in plans for arity in plan.arities],
        [argument for plan in plans for argument in plan.arguments],
    )
