"""Keeps the rows true that say which threads have their code session on this node; see docs/design/sandbox.md.

A session is used only while the row names this node and the generation that it was opened in. Everything else about a
row is advice: it says to whom a run should go that wants the variables.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog

from runstead.domain.change import Change
from runstead.domain.code_sessions import LetGoOfCodeSession, TakeCodeSession
from runstead.domain.errors import Stale, Unavailable
from runstead.domain.records import RunRecord
from runstead.journal import Journal
from runstead.ports import Clock, Sandbox, Store
from runstead.wire.base import ThreadId

LET_GO_WITHIN = 0.75
"""Seconds a node that stops may take to say that its sessions end; otherwise their leases do."""

log = structlog.get_logger(__name__)


class CodeSessions:
    """The sessions of one owner. `lease_for` is how long it is taken to be alive without a word."""

    def __init__(
        self, sandbox: Sandbox, store: Store, journal: Journal, clock: Clock, *, owner: str, lease_for: float
    ) -> None:
        self._sandbox, self._store, self._journal, self._clock = sandbox, store, journal, clock
        self._owner, self._lease_for = owner, lease_for
        # In which generation this node's session was opened, or is about to be.
        self._generations: dict[ThreadId, int] = {}
        self._in_use: Counter[ThreadId] = Counter()

    @asynccontextmanager
    async def at_home(self, record: RunRecord) -> AsyncIterator[None]:
        """Have the thread's session here while code of this run is in it.

        A session that others came after is ended first. Raises Unavailable, also if somebody else holds the run.
        """
        thread_id = record.run.thread_id
        # Before anything is looked at: what is in use is not let go of.
        self._in_use[thread_id] += 1
        try:
            await self._come_home(record)
            yield
        finally:
            self._in_use[thread_id] -= 1
            if not self._in_use[thread_id]:
                del self._in_use[thread_id]

    async def _come_home(self, record: RunRecord) -> None:
        thread_id = record.run.thread_id
        known = self._generations.get(thread_id)
        if known is not None and await self._generation(thread_id) == known:
            return
        await self._take(record)
        taken = await self._generation(thread_id)
        if taken is None:
            raise Unavailable("Another node has the code session of this thread.")
        if known is not None:
            log.info("code session had moved", thread_id=thread_id, was=known, generation=taken)
        await self._sandbox.release(thread_id)
        self._generations[thread_id] = taken

    async def _generation(self, thread_id: ThreadId) -> int | None:
        """That of the thread's session if it is on this node."""
        session = (await self._store.find_code_sessions([thread_id])).get(thread_id)
        return session.generation if session is not None and session.owner == self._owner else None

    async def _take(self, record: RunRecord) -> None:
        run, lease_until = record.run, self._clock.now() + self._lease_for
        taking = TakeCodeSession(run.thread_id, run.id, self._owner, record.epoch, lease_until)
        try:
            await self._journal.commit(Change(writes=(taking,)))
        except Stale:
            # Its driver is about to learn that the run is another's: until then it tries again.
            raise Unavailable("Another node has this run.") from None

    async def keep(self) -> None:
        """Renew the leases of this node's sessions until cancelled."""
        every = self._lease_for / 3
        while True:
            await asyncio.sleep(every)
            if not self._generations:
                continue
            try:
                async with asyncio.timeout(every):
                    await self._renew()
            except (Unavailable, TimeoutError) as error:
                log.warning("code sessions not renewed", reason=str(error) or "too slow")

    async def _renew(self) -> None:
        asked = dict(self._generations)
        renewed = await self._store.renew_code_sessions(self._owner, self._clock.now() + self._lease_for)
        for thread_id, generation in asked.items():
            # Its thread was deleted, or goes on elsewhere. Who is using it will find out by himself.
            is_ours = renewed.get(thread_id) == generation or self._generations.get(thread_id) != generation
            if not is_ours and thread_id not in self._in_use:
                del self._generations[thread_id]
                await self._sandbox.release(thread_id)
        here = self._sandbox.threads()
        await self._let_go(
            {id: each for id, each in renewed.items() if id not in here and id not in self._in_use},
        )

    async def _let_go(self, sessions: Mapping[ThreadId, int]) -> None:
        """No longer be asked for sessions that have ended."""
        for thread_id in sessions:
            # First, so that a call that comes meanwhile takes it up anew, in a generation that is not let go of.
            self._generations.pop(thread_id, None)
        if sessions:
            letting_go = (LetGoOfCodeSession(id, self._owner, each) for id, each in sessions.items())
            await self._journal.commit(Change(writes=tuple(letting_go)))

    async def leave(self) -> None:
        """Say that all sessions end, because this node does: then nobody waits for their leases."""
        try:
            async with asyncio.timeout(LET_GO_WITHIN):
                await self._let_go(dict(self._generations))
        except (Unavailable, TimeoutError) as error:
            log.warning("code sessions not let go of", reason=str(error) or "too slow")
