"""Who is told, and when."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from runstead.wire.base import RunId
from runstead.wire.events import StreamEvent

UNSAID = (0, -1)
"""The position before the first event of a run that is not stored yet."""


class Bus(Protocol):
    """Who is told, and when; never the only holder of a fact."""

    async def offer(self, run_id: RunId) -> None:
        """Say that a run wants a worker. May be lost; may arrive twice."""

    def offers(self) -> AsyncIterator[RunId]:
        """Runs offered to this node, each to one node of all."""

    async def offer_to(self, owner: str, run_id: RunId) -> None:
        """Say that a run wants this owner before all others: it looks at the run. May be lost; may arrive twice."""

    async def cancel(self, owner: str, run_id: RunId) -> None:
        """Tell an owner to look at one of its runs now. May be lost."""

    def cancels(self, owner: str) -> AsyncIterator[RunId]:
        """What `cancel` and `offer_to` said to this owner, from the moment of the call on."""

    def emit(self, run_id: RunId, events: Sequence[StreamEvent]) -> None:
        """Publish events of a run, in order. Never waits for a reader."""

    async def push(self, run_id: RunId) -> None:
        """Return once what was emitted of a run outlives this process; at once if nobody can be told now."""

    async def history(self, run_id: RunId) -> list[StreamEvent]:
        """What is still kept of a run's events, oldest first."""

    def tail(self, run_id: RunId, after: tuple[int, int] | None) -> AbstractAsyncContextManager["Tail"]:
        """Read a run's events after a position, replay first, then live.

        With None reading starts at the next event to be emitted, with UNSAID at the first one. From the moment the
        block is entered no event is missed without notice.
        """


class Tail(Protocol):
    """A reader's place in a run's events. It holds no events of its own, however slow the reader is."""

    async def next(self, timeout: float) -> Sequence[StreamEvent]:
        """All events that came since, at least one; empty after `timeout` seconds without any.

        Raises EventsLost if some were dropped before this reader saw them.
        """

    async def is_at_end(self) -> bool:
        """Whether nothing is kept that this reader has not seen."""


class EventsLost(Exception):
    """Events between a reader's position and the present are gone; the rows have their outcome."""


class BusStopped(EventsLost):
    """This node stops: its readers have to come back elsewhere, or later."""
