"""Events to emit, and readers that expect them."""

import asyncio
from collections.abc import Callable, Sequence

from runstead.ports import Tail
from runstead.wire.base import RunId
from runstead.wire.events import EventName, StreamEvent

RUN, OTHER = RunId("run_1"), RunId("run_2")
GUARD = 5.0
"""Seconds after which something that should have come is held to be lost."""


def an_event(epoch: int, seq: int, data: bytes = b"{}", name: EventName = "thread.message.delta") -> StreamEvent:
    return StreamEvent(epoch, seq, name, data)


def some(first: int, count: int, epoch: int = 1, data: bytes = b"{}") -> list[StreamEvent]:
    return [an_event(epoch, seq, data) for seq in range(first, first + count)]


def full(first: int, count: int) -> Sequence[StreamEvent]:
    return some(first, count, data=b"x" * 100)


async def until(is_so: Callable[[], bool], within: float = GUARD) -> None:
    """Wait for a fact that nobody announces."""
    async with asyncio.timeout(within):
        while not is_so():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.001)


async def read(tail: Tail, count: int) -> list[StreamEvent]:
    """Exactly as many events, however they are portioned."""
    events: list[StreamEvent] = []
    while len(events) < count:
        came = await tail.next(GUARD)
        assert came, f"nothing came after {events[-1:]}"
        events += came
    assert len(events) == count
    return events
