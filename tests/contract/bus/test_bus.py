"""What every bus promises. Another adapter joins in conftest.py."""

import asyncio
import secrets

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runstead.bus.local import LocalBus
from runstead.bus.nats import NatsBus
from runstead.bus.nats_dialing import Connecting
from runstead.bus.nats_streams import Streams
from runstead.ports import UNSAID, Bus, BusStopped, EventsLost
from runstead.wire.base import RunId
from runstead.wire.events import StreamEvent
from tests.contract.bus.events import GUARD, OTHER, RUN, read, some, until

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


async def test_a_reader_of_a_run_to_come_begins_at_its_first_event(bus):
    async with bus.tail(RUN, UNSAID) as tail:
        bus.emit(RUN, some(0, 2))
        assert await read(tail, 2) == some(0, 2)


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


async def test_a_run_is_offered_to_one_owner_alone(bus):
    first, second = bus.cancels("w1"), bus.cancels("w2")
    await bus.offer_to("nobody", OTHER)
    await bus.offer_to("w2", RUN)
    await bus.offer_to("w1", OTHER)
    assert await anext(aiter(first)) == OTHER
    assert await anext(aiter(second)) == RUN


async def test_a_cancellation_that_nobody_listens_for_is_lost_in_peace(bus):
    await bus.cancel("nobody", RUN)


# A reader that comes at any moment, leaves and comes back

acts = st.lists(st.tuples(st.sampled_from(["emit", "claim", "leave", "turn"]), st.integers(1, 4)), max_size=30)


@given(acts, st.integers(0, 30))
@settings(deadline=None)
def test_a_reader_that_comes_between_events_misses_none_in_process(doings, comes_at):
    asyncio.run(come_and_go(LocalBus(), doings, comes_at))


@given(acts, st.integers(0, 30))
@settings(deadline=None, max_examples=30)
def test_a_reader_that_comes_between_events_misses_none_over_nats(nats_server, doings, comes_at):
    async def scene() -> None:
        bus = NatsBus(
            Connecting(url=nats_server.url),
            Streams(prefix=f"test-{secrets.token_hex(6)}", max_bytes=2**20, storage="memory"),
        )
        await bus.open()
        try:
            await come_and_go(bus, doings, comes_at)
        finally:
            await bus.close()

    asyncio.run(scene())


async def come_and_go(bus: Bus, doings: list[tuple[str, int]], comes_at: int) -> None:
    emitted: list[StreamEvent] = []
    seen: list[StreamEvent] = []
    epoch, seq = 1, 0

    async def follow() -> None:
        after: tuple[int, int] | None = (seen[-1].epoch, seen[-1].seq) if seen else (0, 0)
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
    await until(lambda: len(seen) >= len(emitted))
    assert seen == emitted
    if reader is not None:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)


async def _replaced(reader, follow) -> "asyncio.Task[None]":
    if reader is not None:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
    task = asyncio.create_task(follow())
    await asyncio.sleep(0)
    return task


# Stopping


# Over two nodes the last events may still be on their way.
@pytest.mark.parametrize("bus", ["local", "nats"], indirect=True)
async def test_readers_are_sent_away_once_they_have_read_everything(bus):
    async with bus.tail(RUN, None) as tail, bus.tail(OTHER, None) as waiting:
        bus.emit(RUN, some(0, 2))
        wait = asyncio.create_task(waiting.next(GUARD))
        await asyncio.sleep(0)
        bus.stop()
        assert await read(tail, 2) == some(0, 2)
        for late in (tail.next(GUARD), wait):
            with pytest.raises(BusStopped):
                await late


async def test_who_comes_after_the_stop_is_sent_away_too(bus):
    bus.stop()
    async with bus.tail(RUN, None) as tail:
        with pytest.raises(BusStopped):
            await tail.next(GUARD)
