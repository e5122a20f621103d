"""One run's events, kept for a while, and readers that are nothing but a place in them.

A slow reader costs nothing: it holds no queue. What it has not read by the time it is dropped, it is told
was lost.
"""

import asyncio
from collections.abc import Sequence

from runstead.ports import BusStopped, EventsLost
from runstead.wire.events import LAST_EVENTS, StreamEvent

EVENT_OVERHEAD = 200
"""Bytes an event is taken to cost beyond its data."""


class EventLog:
    """The events of a run, oldest first; the oldest are dropped beyond `max_bytes`."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._events: list[StreamEvent] = []
        self._dropped = 0
        self._waiters: list[asyncio.Future[None]] = []
        self.readers = 0
        self.size = 0
        self.is_resting = False
        self.is_stopped = False
        self.last_touched = 0.0

    def append(self, events: Sequence[StreamEvent]) -> None:
        """Add events and wake the readers."""
        self._events.extend(events)
        self.size += sum(len(event.data) + EVENT_OVERHEAD for event in events)
        self.is_resting = events[-1].name in LAST_EVENTS
        if self.size > self._max_bytes:
            self._drop_oldest()
        self._wake_readers()

    def stop(self) -> None:
        """Send the readers away once they have read everything."""
        self.is_stopped = True
        self._wake_readers()

    def _wake_readers(self) -> None:
        for waiter in self._waiters:
            _wake(waiter)
        self._waiters.clear()

    def _drop_oldest(self) -> None:
        # A quarter at once, so that a long run does not move the list at every event.
        goal, index = self._max_bytes * 3 // 4, 0
        while self.size > goal and index < len(self._events) - 1:
            self.size -= len(self._events[index].data) + EVENT_OVERHEAD
            index += 1
        del self._events[:index]
        self._dropped += index

    @property
    def events(self) -> list[StreamEvent]:
        """What is still kept."""
        return list(self._events)

    @property
    def end(self) -> int:
        """How many events there have been."""
        return self._dropped + len(self._events)

    def place_after(self, position: tuple[int, int]) -> int:
        """The place of the first event after `(epoch, seq)`. Raises EventsLost if that was dropped."""
        for i, event in enumerate(self._events):
            if (event.epoch, event.seq) > position:
                if i == 0 and not self._follows(event, position):
                    raise EventsLost
                return self._dropped + i
        if not self._events:
            raise EventsLost
        return self.end

    def _follows(self, first: StreamEvent, position: tuple[int, int]) -> bool:
        """Whether nothing can have been between a position and the first event kept."""
        if self._dropped:
            return (first.epoch, first.seq) == (position[0], position[1] + 1)
        return True

    def read(self, place: int) -> list[StreamEvent]:
        """Everything from a place on. Raises EventsLost if the place was dropped."""
        if place < self._dropped:
            raise EventsLost
        return self._events[place - self._dropped :]

    def wait(self) -> "asyncio.Future[None]":
        """Done when something is appended."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        return waiter


class LogTail:
    """A place in a log."""

    def __init__(self, log: EventLog, place: int) -> None:
        self._log = log
        self._place = place

    async def next(self, timeout: float) -> Sequence[StreamEvent]:
        """See ports.Tail."""
        if self._log.end <= self._place:
            if self._log.is_stopped:
                raise BusStopped
            waiter = self._log.wait()
            timer = asyncio.get_running_loop().call_later(timeout, _wake, waiter)
            try:
                await waiter
            finally:
                timer.cancel()
        events = self._log.read(self._place)
        if not events and self._log.is_stopped:
            raise BusStopped
        self._place += len(events)
        return events


def _wake(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
