"""The bus of a single process: queues for offers and cancellations, a log of events per run."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from runstead.bus.event_log import EventLog, LogTail
from runstead.wire.base import RunId
from runstead.wire.events import StreamEvent

KEEP_FOR = 15 * 60.0
"""Seconds a run's events are kept after its last one, memory permitting."""
MAX_BYTES = 64 * 2**20
"""Bytes all logs may take together; beyond that those are dropped first that grew least recently."""
MAX_LOG_BYTES = 16 * 2**20
"""Bytes one run's log may take."""


class LocalBus:
    """See ports.Bus. Everything is lost with the process, as every fact is in the store."""

    def __init__(self, *, keep_for: float = KEEP_FOR, max_bytes: int = MAX_BYTES, max_log: int = MAX_LOG_BYTES) -> None:
        self._keep_for = keep_for
        self._max_bytes = max_bytes
        self._max_log = max_log
        self._bytes = 0
        self._is_stopped = False
        self._logs: dict[RunId, EventLog] = {}
        # Those that hold events, the one that grew least recently first.
        self._by_age: OrderedDict[RunId, EventLog] = OrderedDict()
        self._offers: asyncio.Queue[RunId] = asyncio.Queue()
        self._cancels: dict[str, asyncio.Queue[RunId]] = {}

    @property
    def is_connected(self) -> bool:
        """Always: there is nobody else to be told."""
        return True

    def stop(self) -> None:
        """Send every reader away: this process ends."""
        self._is_stopped = True
        for log in self._logs.values():
            log.stop()

    async def offer(self, run_id: RunId) -> None:
        """See ports.Bus."""
        self._offers.put_nowait(run_id)

    async def offers(self) -> AsyncIterator[RunId]:
        """See ports.Bus."""
        while True:
            yield await self._offers.get()

    async def offer_to(self, owner: str, run_id: RunId) -> None:
        """See ports.Bus."""
        await self.cancel(owner, run_id)

    async def cancel(self, owner: str, run_id: RunId) -> None:
        """See ports.Bus."""
        queue = self._cancels.get(owner)
        if queue is not None:
            queue.put_nowait(run_id)

    def cancels(self, owner: str) -> AsyncIterator[RunId]:
        """See ports.Bus."""
        # Registered by the call, not by the first step of the iteration: what is said in between counts.
        return _drain(self._cancels.setdefault(owner, asyncio.Queue()))

    def emit(self, run_id: RunId, events: Sequence[StreamEvent]) -> None:
        """See ports.Bus."""
        if not events:
            return
        log = self._log(run_id)
        before = log.size
        log.append(events)
        self._bytes += log.size - before
        log.last_touched = asyncio.get_running_loop().time()
        self._by_age[run_id] = log
        self._by_age.move_to_end(run_id)
        self._forget_old(log.last_touched)

    def _log(self, run_id: RunId) -> EventLog:
        log = self._logs.get(run_id)
        if log is None:
            log = self._logs[run_id] = EventLog(self._max_log)
            log.is_stopped = self._is_stopped
        return log

    def _forget_old(self, now: float) -> None:
        """Drop what is kept long enough, and what is oldest while there is too much; never the newest."""
        while len(self._by_age) > 1:
            run_id, log = next(iter(self._by_age.items()))
            if log.last_touched + self._keep_for > now and self._bytes <= self._max_bytes:
                return
            del self._by_age[run_id]
            self._bytes -= log.size
            log.clear()
            self._drop_unused(run_id, log)

    def _drop_unused(self, run_id: RunId, log: EventLog) -> None:
        # A reader waits at its log, so that stays as long as there is one.
        if log.readers == 0 and log.size == 0:
            self._logs.pop(run_id, None)

    async def push(self, run_id: RunId) -> None:
        """See ports.Bus. Nothing outlives the process, and nobody else listens."""

    async def history(self, run_id: RunId) -> list[StreamEvent]:
        """See ports.Bus."""
        log = self._logs.get(run_id)
        return [] if log is None else log.events

    @asynccontextmanager
    async def tail(self, run_id: RunId, after: tuple[int, int] | None) -> AsyncIterator[LogTail]:
        """See ports.Bus."""
        log = self._log(run_id)
        log.readers += 1
        try:
            yield LogTail(log, log.end if after is None else log.place_after(after))
        finally:
            log.readers -= 1
            self._drop_unused(run_id, log)


async def _drain(queue: "asyncio.Queue[RunId]") -> AsyncIterator[RunId]:
    while True:
        yield await queue.get()
