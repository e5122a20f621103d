"""Notices that a run rests though the event that says so never came, for all silent streams of this node at once.

Nothing is asked while events flow, and a stream that waits for its reader is not silent: it is the reader who is.
"""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from runstead.domain.errors import Unavailable
from runstead.ports import Store, Tail
from runstead.wire.base import RunId
from runstead.wire.events import StreamEvent

EVERY = 2.0
"""Seconds between two rounds. Each asks for what was silent for one of them at least."""
WHEN_CUT_OFF = 7
"""Rounds of silence before it is asked for what no event can have told: events that wait elsewhere are sent again."""
ROUNDS_TO_HEAL = 4
"""For so many rounds after the bus came back, others may still be on their way to it."""

log = structlog.get_logger(__name__)


class Listener:
    """One stream's wait for events."""

    def __init__(self, run_id: RunId) -> None:
        self.run_id = run_id
        self.silent_rounds = 0
        self._waiting: asyncio.Timeout | None = None

    async def next(self, tail: Tail, timeout: float) -> Sequence[StreamEvent] | None:
        """As Tail.next; None as soon as it turns out that the run rests and nobody said so."""
        waiting = asyncio.timeout(None)
        try:
            async with waiting:
                self._waiting = waiting
                events = await tail.next(timeout)
        except TimeoutError:
            if waiting.expired():
                return None
            raise
        finally:
            self._waiting = None
        if events:
            self.silent_rounds = 0
        return events

    def is_silent(self, rounds: int) -> bool:
        """Whether it has waited for so many rounds."""
        return self._waiting is not None and self.silent_rounds >= rounds

    def wake(self) -> None:
        """There is nothing to wait for. No event is lost by this: a tail moves on when it returns, not before."""
        if self._waiting is not None and not self._waiting.expired():
            self._waiting.reschedule(0)


class Endings:
    """Asks in one statement which runs of silent streams rest or are gone, and wakes those that wait for them."""

    def __init__(self, store: Store, *, is_told: Callable[[], bool]) -> None:
        self._store = store
        self._is_told = is_told
        self._listeners: set[Listener] = set()
        self._healing = 0

    def watch(self, listener: Listener) -> None:
        """Ask for this one as well: its run has been committed."""
        self._listeners.add(listener)

    def forget(self, listener: Listener) -> None:
        """It has left. Harmless if it was never watched."""
        self._listeners.discard(listener)

    async def keep(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.once()
            except Unavailable as error:
                log.debug("not asked for endings", reason=str(error))

    async def once(self) -> None:
        """One round. Raises Unavailable."""
        rounds = self._rounds()
        silent = [listener for listener in self._listeners if listener.is_silent(rounds)]
        for listener in self._listeners:
            listener.silent_rounds += 1
        if not silent:
            return
        under_way = await self._store.runs_under_way({listener.run_id for listener in silent})
        for listener in silent:
            if listener.run_id not in under_way:
                listener.wake()

    def _rounds(self) -> int:
        self._healing = self._healing - 1 if self._is_told() else ROUNDS_TO_HEAL
        return 1 if self._healing < 0 else WHEN_CUT_OFF
