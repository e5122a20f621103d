"""One run's events, kept for a while, and readers that are nothing but a place in them.

A slow reader costs nothing: it holds no queue. What it has not read by the time it is dropped, it is told
was lost.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Sequence

from runstead.ports import UNSAID, BusStopped, EventsLost
from runstead.wire.events import StreamEvent

EVENT_OVERHEAD = 200
"""Bytes an event is taken to cost beyond its data."""


FIRST = (1, 0)
"""The place of a run's first event."""


class EventLog:
    """The events of a run, oldest first; the oldest are dropped beyond `max_bytes`."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._events: list[StreamEvent] = []
        self._dropped = 0
        self._last = UNSAID
        self._waiters: set[asyncio.Future[None]] = set()
        self.readers = 0
        self.size = 0
        self.is_stopped = False
        self.last_touched = 0.0

    def append(self, events: Sequence[StreamEvent]) -> None:
        """Add events that are new and wake the readers.

        A lower number is a repetition, or comes from a worker that has lost the run.
        """
        for event in events:
            if _place(event) > self._last:
                self._last = _place(event)
                self._events.append(event)
                self.size += _size(event)
        if self.size > self._max_bytes:
            # A quarter at once, so that a long run does not move the list at every event.
            self._drop_oldest(self._max_bytes * 3 // 4)
        self._wake_readers()

    def clear(self) -> None:
        """Drop all events. A reader that has read them notices nothing."""
        self._dropped += len(self._events)
        self._events.clear()
        self.size = 0

    def stop(self) -> None:
        """Send the readers away once they have read everything."""
        self.is_stopped = True
        self._wake_readers()

    def _wake_readers(self) -> None:
        for waiter in self._waiters:
            _wake(waiter)

    def _drop_oldest(self, goal: int) -> None:
        index = 0
        while self.size > goal and index < len(self._events) - 1:
            self.size -= _size(self._events[index])
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
        """The place of the first event after `(epoch, seq)`. Raises EventsLost unless nothing is missing in between."""
        if position == UNSAID:
            return 0
        index = bisect_right(self._events, position, key=_place)
        if index == 0 and not (self._events and self._is_next(_place(self._events[0]), position)):
            raise EventsLost
        return self._dropped + index

    @staticmethod
    def _is_next(first: tuple[int, int], position: tuple[int, int]) -> bool:
        """Whether no event can have been between a position and the first event kept."""
        return first in (FIRST, (position[0], position[1] + 1))

    def read(self, place: int) -> list[StreamEvent]:
        """Everything from a place on. Raises EventsLost if the place was dropped."""
        if place < self._dropped:
            raise EventsLost
        return self._events[place - self._dropped :]

    async def wait(self, timeout: float) -> None:
        """Return when something is appended, at a stop, or after `timeout` seconds."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(timeout, _wake, waiter)
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)
            timer.cancel()


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
            await self._log.wait(timeout)
        events = self._log.read(self._place)
        if not events and self._log.is_stopped:
            raise BusStopped
        self._place += len(events)
        return events

    async def is_at_end(self) -> bool:
        """See ports.Tail."""
        return self._log.end <= self._place


def _wake(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)


def _size(event: StreamEvent) -> int:
    return len(event.data) + EVENT_OVERHEAD


def _place(event: StreamEvent) -> tuple[int, int]:
    return event.epoch, event.seq
