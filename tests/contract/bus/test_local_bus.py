"""What the local bus keeps, and for how long."""

import pytest

from runstead.bus.event_log import EVENT_OVERHEAD
from runstead.bus.local import LocalBus
from runstead.ports import EventsLost
from runstead.wire.base import RunId
from tests.contract.bus.events import GUARD, OTHER, RUN, an_event, full, read, some

SIZE = EVENT_OVERHEAD + 100
"""What a full event costs."""


async def test_a_slow_reader_is_told_what_it_lost():
    bus = LocalBus(max_log=10 * SIZE)
    async with bus.tail(RUN, None) as slow, bus.tail(RUN, None) as quick:
        for seq in range(30):
            bus.emit(RUN, full(seq, 1))
            assert len(await quick.next(GUARD)) == 1
        assert len(await bus.history(RUN)) <= 10
        with pytest.raises(EventsLost):
            await slow.next(GUARD)


async def test_a_slow_reader_keeps_nothing_alive():
    bus = LocalBus(max_bytes=10 * SIZE)
    async with bus.tail(RUN, None) as slow:
        bus.emit(RUN, full(0, 8))
        bus.emit(OTHER, full(0, 8))
        assert await bus.history(RUN) == []
        with pytest.raises(EventsLost):
            await slow.next(GUARD)


async def test_a_reader_at_the_end_of_a_log_that_is_dropped_hears_what_comes():
    bus = LocalBus(max_bytes=10 * SIZE)
    async with bus.tail(RUN, None) as tail:
        bus.emit(RUN, full(0, 8))
        await tail.next(GUARD)
        bus.emit(OTHER, full(0, 8))
        bus.emit(RUN, full(8, 1))
        assert await read(tail, 1) == full(8, 1)


async def test_who_resumes_where_a_whole_log_was_dropped_is_told():
    bus = LocalBus(max_bytes=10 * SIZE)
    bus.emit(RUN, full(0, 8))
    bus.emit(OTHER, full(0, 8))
    bus.emit(RUN, some(0, 2, epoch=2))
    with pytest.raises(EventsLost):
        async with bus.tail(RUN, (1, 3)):
            pass


@pytest.mark.parametrize("last", ["thread.message.delta", "thread.run.completed"])
async def test_all_logs_together_stay_within_their_bound(last):
    """Runs that never come to an end, because their thread was deleted say, must not stay for ever."""
    bus = LocalBus(max_bytes=20 * SIZE)
    for i in range(100):
        bus.emit(RunId(f"run_{i}"), [*full(0, 2), an_event(1, 2, b"x" * 100, last)])
    kept = [i for i in range(100) if await bus.history(RunId(f"run_{i}"))]
    assert kept == [94, 95, 96, 97, 98, 99]
    assert len(bus._logs) == 6


async def test_what_grows_is_kept_before_what_rests():
    bus = LocalBus(max_bytes=10 * SIZE)
    bus.emit(RUN, full(0, 4))
    bus.emit(OTHER, full(0, 4))
    bus.emit(RUN, full(4, 4))
    assert await bus.history(OTHER) == []
    assert len(await bus.history(RUN)) == 8


async def test_the_newest_log_is_kept_whatever_its_size():
    bus = LocalBus(max_bytes=SIZE)
    bus.emit(RUN, full(0, 5))
    assert len(await bus.history(RUN)) == 5


async def test_old_logs_go_when_their_time_is_over():
    bus = LocalBus(keep_for=0.0)
    bus.emit(RUN, some(0, 1))
    bus.emit(OTHER, some(0, 1))
    assert await bus.history(RUN) == []


async def test_readers_that_heard_nothing_leave_nothing_behind():
    bus = LocalBus()
    for i in range(10):
        async with bus.tail(RunId(f"run_{i}"), None) as tail:
            for _ in range(3):
                await tail.next(0.0)
            assert not bus._logs[RunId(f"run_{i}")]._waiters
    assert not bus._logs


async def test_what_is_emitted_after_the_stop_is_still_read():
    bus = LocalBus()
    bus.stop()
    async with bus.tail(RUN, None) as tail:
        bus.emit(RUN, some(0, 1))
        assert await read(tail, 1) == some(0, 1)
