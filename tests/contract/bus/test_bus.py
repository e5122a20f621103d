"""What every bus promises. Another adapter joins by adding itself to BUSES."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runstead.bus.event_log import EVENT_OVERHEAD
from runstead.bus.local import LocalBus
from runstead.ports import Bus, BusStopped, EventsLost, Tail
from runstead.wire.base import RunId
from runstead.wire.events import StreamEvent

BUSES: dict[str, Callable[[], Bus]] = {"local": LocalBus}
RUN, OTHER = RunId("run_1"), RunId("run_2")
GUARD = 5.0
"""Seconds after which something that should have come is held to be lost."""


@pytest.fixture(params=BUSES.values(), ids=BUSES.keys())
def bus(request) -> Bus:
    return request.param()


def an_event(epoch: int, seq: int, data: bytes = b"{}", name="thread.message.delta") -> StreamEvent:
    return StreamEvent(epoch, seq, name, data)


def some(first: int, count: int, epoch: int = 1) -> list[StreamEvent]:
    return [an_event(epoch, seq) for seq in range(first, first + count)]


async def read(tail: Tail, count: int) -> list[StreamEvent]:
    """Exactly as many events, however they are portioned."""
    events: list[StreamEvent] = []
    while len(events) < count:
        came = await tail.next(GUARD)
        assert came, f"nothing came after {events[-1:]}"
        events += came
    assert len(events) == count
    return events


# Events


async def test_events_come_in_order_to_every_reader(bus):
    async with bus.tail(RUN, None) as one, bus.tail(RUN, None) as two:
        bus.emit(RUN, some(0, 2))
        bus.emit(RUN, some(2, 1))
        assert await read(one, 3) == await read(two, 3) == some(0, 3)


async def test_a_reader_hears_of_its_own_run_only(bus):
    async with bus.tail(RUN, None) as tail:
        bus.emit(OTHER, some(0, 5))
        bus.emit(RUN, some(0, 1))
        assert await read(tail, 1) == some(0, 1)


async def test_a_reader_that_waits_is_woken(bus):
    async with bus.tail(RUN, None) as tail:
        waiting = asyncio.create_task(read(tail, 1))
        await asyncio.sleep(0)
        bus.emit(RUN, some(0, 1))
        assert await waiting == some(0, 1)


async def test_nothing_comes_of_silence(bus):
    async with bus.tail(RUN, None) as tail:
        assert list(await tail.next(0.001)) == []
        bus.emit(RUN, some(0, 1))
        assert await read(tail, 1) == some(0, 1)


async def test_emitting_nothing_wakes_nobody(bus):
    async with bus.tail(RUN, None) as tail:
        bus.emit(RUN, [])
        assert list(await tail.next(0.001)) == []


async def test_a_reader_without_a_position_begins_at_the_next_event(bus):
    bus.emit(RUN, some(0, 2))
    async with bus.tail(RUN, None) as tail:
        bus.emit(RUN, some(2, 1))
        assert await read(tail, 1) == some(2, 1)


@pytest.mark.parametrize(
    ("after", "left"),
    [((0, 0), 5), ((1, 0), 4), ((1, 2), 2), ((1, 9), 2), ((2, 0), 1), ((2, 1), 0), ((7, 7), 0)],
)
async def test_a_reader_resumes_after_its_position(bus, after, left):
    events = [*some(0, 3), *some(0, 2, epoch=2)]
    bus.emit(RUN, events)
    async with bus.tail(RUN, after) as tail:
        bus.emit(RUN, some(0, 1, epoch=8))
        assert await read(tail, left + 1) == [*events[5 - left :], *some(0, 1, epoch=8)]


async def test_what_is_kept_can_be_looked_at(bus):
    assert await bus.history(RUN) == []
    bus.emit(RUN, some(0, 2))
    bus.emit(RUN, some(2, 1))
    assert await bus.history(RUN) == some(0, 3)
    assert await bus.history(OTHER) == []


async def test_a_position_in_a_run_that_nobody_knows_is_lost(bus):
    with pytest.raises(EventsLost):
        async with bus.tail(RUN, (1, 4)):
            pass


@pytest.mark.parametrize("after", [(1, 0), (1, 3), (2, 4)])
async def test_a_log_that_begins_in_the_middle_tells_so(bus, after):
    """As after a restart: nobody can know what came before."""
    bus.emit(RUN, some(6, 2, epoch=2))
    with pytest.raises(EventsLost):
        async with bus.tail(RUN, after):
            pass
    async with bus.tail(RUN, (2, 5)) as tail:
        assert await read(tail, 2) == some(6, 2, epoch=2)


async def test_a_reader_may_leave_while_it_waits(bus):
    async with bus.tail(RUN, None) as tail:
        waiting = asyncio.create_task(tail.next(GUARD))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        bus.emit(RUN, some(0, 1))
        assert await read(tail, 1) == some(0, 1)


# Offers and cancellations


async def test_every_offer_is_taken_once(bus):
    ids = [RunId(f"run_{i}") for i in range(20)]
    taken: list[RunId] = []
    all_taken = asyncio.Event()

    async def take() -> None:
        async for run_id in bus.offers():
            taken.append(run_id)
            if len(taken) == len(ids):
                all_taken.set()

    takers = [asyncio.create_task(take()) for _ in range(3)]
    for id in ids:
        await bus.offer(id)
    async with asyncio.timeout(GUARD):
        await all_taken.wait()
    for _ in range(3):
        await asyncio.sleep(0)
    assert sorted(taken) == sorted(ids)
    for taker in takers:
        taker.cancel()
    await asyncio.gather(*takers, return_exceptions=True)


async def test_offers_wait_for_somebody_to_take_them(bus):
    await bus.offer(RUN)
    assert await anext(aiter(bus.offers())) == RUN


async def test_cancellations_count_from_the_call_on(bus):
    cancels = bus.cancels("w1")
    await bus.cancel("w2", OTHER)
    await bus.cancel("w1", RUN)
    assert await anext(aiter(cancels)) == RUN


async def test_a_cancellation_that_nobody_listens_for_is_lost_in_peace(bus):
    await bus.cancel("nobody", RUN)


# A reader that comes at any moment, leaves and comes back

acts = st.lists(st.tuples(st.sampled_from(["emit", "claim", "leave", "turn"]), st.integers(1, 4)), max_size=30)


@given(acts, st.integers(0, 30), st.sampled_from(sorted(BUSES)))
@settings(deadline=None)
def test_a_reader_that_comes_between_events_misses_none(doings, comes_at, name):
    async def scene() -> None:
        bus = BUSES[name]()
        emitted: list[StreamEvent] = []
        seen: list[StreamEvent] = []
        epoch, seq = 1, 0

        async def follow() -> None:
            after = (seen[-1].epoch, seen[-1].seq) if seen else (0, 0)
            if not emitted:
                after = None
            async with bus.tail(RUN, after) as tail:
                while True:
                    seen.extend(await tail.next(GUARD))

        reader: asyncio.Task[None] | None = None
        for i, (act, number) in enumerate([("emit", 1), *doings, ("turn", 1)]):
            if (i >= comes_at and reader is None) or i == len(doings) + 1:
                reader = await _replaced(reader, follow)
            if act == "emit":
                came = some(seq, number, epoch)
                seq += number
                emitted += came
                bus.emit(RUN, came)
            elif act == "claim":
                epoch, seq = epoch + number, 0
            elif act == "leave" and reader is not None:
                reader = await _replaced(reader, follow)
            else:
                for _ in range(number):
                    await asyncio.sleep(0)
        for _ in range(3):
            await asyncio.sleep(0)
        assert seen == emitted
        if reader is not None:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    asyncio.run(scene())


async def _replaced(reader, follow) -> "asyncio.Task[None]":
    if reader is not None:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
    task = asyncio.create_task(follow())
    await asyncio.sleep(0)
    return task


# What the local bus keeps, and for how long

SIZE = EVENT_OVERHEAD + 100
"""What a full event costs."""


def full(first: int, count: int) -> Sequence[StreamEvent]:
    return [an_event(1, seq, b"x" * 100) for seq in range(first, first + count)]


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


# Stopping


async def test_readers_are_sent_away_once_they_have_read_everything():
    bus = LocalBus()
    async with bus.tail(RUN, None) as tail, bus.tail(OTHER, None) as waiting:
        bus.emit(RUN, some(0, 2))
        wait = asyncio.create_task(waiting.next(GUARD))
        await asyncio.sleep(0)
        bus.stop()
        assert await read(tail, 2) == some(0, 2)
        for late in (tail.next(GUARD), wait):
            with pytest.raises(BusStopped):
                await late


async def test_who_comes_after_the_stop_is_sent_away_too():
    bus = LocalBus()
    bus.stop()
    async with bus.tail(RUN, None) as tail:
        with pytest.raises(BusStopped):
            await tail.next(GUARD)
        bus.emit(RUN, some(0, 1))
        assert await read(tail, 1) == some(0, 1)
