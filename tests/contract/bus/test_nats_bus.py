"""What is peculiar to the bus over NATS: servers that die or forget, several nodes, bounds."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import nats
import pytest

from runstead.bus.nats_frames import encode
from runstead.bus.nats_tail import NatsTail
from runstead.ports import Bus, EventsLost
from runstead.wire.base import RunId
from runstead.wire.events import StreamEvent
from tests.contract.bus.conftest import OpenBus
from tests.contract.bus.events import GUARD, OTHER, RUN, an_event, read, some, until
from tests.contract.bus.nats_server import NatsServer

AT_ONCE = 0.05
"""Seconds in which whoever says something must be free again, whatever the server does."""
RETURN = 15.0


@pytest.fixture
def mortal(tmp_path) -> Iterator[NatsServer]:
    """A server of this test's own, to be killed."""
    server = NatsServer(tmp_path / "nats")
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def publish(nats_server: NatsServer, prefix: str) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    """Says something about a run as a node would that is none of the test's."""
    client = await nats.connect(nats_server.url)

    async def publish(*events) -> None:
        await client.publish(f"{prefix}.event.{RUN}", encode(events))
        await client.flush()

    yield publish
    await client.close()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers give up what they miss sooner."""
    monkeypatch.setattr("runstead.bus.nats_tail.LOOK_AGAIN", 0.01)


async def down(*buses) -> None:
    await until(lambda: not any(bus.is_connected for bus in buses), RETURN)


async def up(*buses) -> None:
    await until(lambda: all(bus.is_connected for bus in buses), RETURN)


def make_deaf(tail: NatsTail, monkeypatch: pytest.MonkeyPatch, unheard: list[list[StreamEvent]]) -> None:
    """What comes live to this reader does not reach it, as when the library drops it."""
    feed = tail.feed
    monkeypatch.setattr(tail, "feed", lambda frames: None if frames in unheard else feed(frames))


async def take(bus: Bus, count: int) -> list[RunId]:
    taken = []
    async with asyncio.timeout(RETURN):
        async for run_id in bus.offers():
            taken.append(run_id)
            if len(taken) == count:
                break
    return taken


# A server that dies, freezes or forgets


async def test_a_stream_goes_on_where_it_was_when_its_server_is_killed(open_bus: OpenBus, mortal):
    here, there = await open_bus(mortal), await open_bus(mortal)
    async with here.tail(RUN, None) as near, there.tail(RUN, None) as far:
        here.emit(RUN, some(0, 10))
        assert await read(far, 10) == some(0, 10)
        mortal.kill()
        here.emit(RUN, some(10, 10))
        assert await read(near, 20) == some(0, 20)
        await down(here, there)
        here.emit(RUN, some(20, 10))
        assert await read(near, 10) == some(20, 10)
        mortal.start()
        here.emit(RUN, some(30, 10))
        assert await read(far, 30) == some(10, 30)
    await up(here, there)
    assert await there.history(RUN) == some(0, 40)


async def test_events_in_flight_when_the_server_is_killed_are_not_missed(open_bus: OpenBus, mortal):
    here, there = await open_bus(mortal), await open_bus(mortal)
    async with there.tail(RUN, None) as far:
        for seq in range(2_000):
            here.emit(RUN, some(seq, 1))
            if seq == 1_000:
                mortal.kill()
            if seq % 50 == 0:
                await asyncio.sleep(0)
        mortal.start()
        assert await read(far, 2_000) == some(0, 2_000)


async def test_a_reader_that_comes_while_the_server_is_down_hears_its_own_node(open_bus: OpenBus, mortal):
    bus = await open_bus(mortal)
    mortal.kill()
    await down(bus)
    async with bus.tail(RUN, None) as tail:
        bus.emit(RUN, [*some(0, 3), *some(0, 1, epoch=2)])
        assert await read(tail, 4) == [*some(0, 3), *some(0, 1, epoch=2)]
    assert await bus.history(RUN) == []
    with pytest.raises(EventsLost):
        async with bus.tail(RUN, (1, 0)):
            pass


async def test_nobody_waits_for_a_server_that_is_gone_or_frozen(open_bus: OpenBus, mortal):
    bus = await open_bus(mortal)

    async def say_everything() -> float:
        began = time.monotonic()
        await bus.offer(RUN)
        await bus.cancel("w1", RUN)
        bus.emit(RUN, some(0, 1))
        return time.monotonic() - began

    mortal.freeze()
    assert await say_everything() < AT_ONCE
    mortal.kill()
    assert await say_everything() < AT_ONCE
    await down(bus)
    assert await say_everything() < AT_ONCE


async def test_a_frozen_server_delays_and_loses_nothing(open_bus: OpenBus, mortal):
    here, there = await open_bus(mortal), await open_bus(mortal)
    async with there.tail(RUN, None) as far:
        mortal.freeze()
        here.emit(RUN, some(0, 500))
        assert list(await far.next(0.05)) == []
        mortal.thaw()
        assert await read(far, 500) == some(0, 500)


async def test_a_connection_that_was_cut_by_a_refusal_is_made_anew(open_bus: OpenBus):
    """The library closes its client for good when the server says that it violated something."""
    bus = await open_bus()
    client = bus._connection.client
    await client._process_err("'Maximum Payload Violation'")
    await until(lambda: client.is_closed)
    await until(lambda: bus.is_connected and bus._connection.client is not client)
    await bus.offer(RUN)
    assert await take(bus, 1) == [RUN]


async def test_a_server_that_forgot_everything_is_told_again(open_bus: OpenBus, mortal):
    here, there = await open_bus(mortal), await open_bus(mortal)
    here.emit(RUN, some(0, 5))
    assert await here.history(RUN) == some(0, 5)
    async with there.tail(RUN, (0, 0)) as far:
        assert await read(far, 5) == some(0, 5)
        mortal.kill()
        await down(here, there)
        mortal.wipe()
        mortal.start()
        await up(here, there)
        here.emit(RUN, some(5, 5))
        assert await read(far, 5) == some(5, 5)
    here.emit(OTHER, some(0, 2))
    assert await here.history(OTHER) == some(0, 2)
    await here.offer(RUN)
    assert await take(there, 1) == [RUN]
    with pytest.raises(EventsLost):
        async with there.tail(RUN, (1, 1)):
            pass


async def test_streams_that_somebody_deletes_come_back(open_bus: OpenBus, nats_server, prefix):
    bus = await open_bus()
    taking = asyncio.create_task(take(bus, 1))
    async with bus.tail(RUN, None) as tail:
        js = (client := await nats.connect(nats_server.url)).jetstream()
        await js.delete_stream(f"{prefix}_offers_1")
        await js.delete_stream(f"{prefix}_events_1")
        await client.close()
        bus.emit(RUN, some(0, 3))
        assert await read(tail, 3) == some(0, 3)

    async def offer_until_taken() -> None:
        # As the reconciler does.
        while not taking.done():
            await bus.offer(RUN)
            await asyncio.wait((taking,), timeout=0.1)

    await offer_until_taken()
    assert await taking == [RUN]
    bus.emit(OTHER, some(0, 3))
    async with asyncio.timeout(RETURN):
        # What nobody kept is sent again.
        while await bus.history(RUN) != some(0, 3):  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)


# What readers see


async def test_what_comes_twice_is_read_once(open_bus: OpenBus, publish):
    bus = await open_bus()
    async with bus.tail(RUN, None) as tail:
        for _ in range(2):
            await publish(*some(0, 3))
        await publish(*some(3, 1))
        assert await read(tail, 4) == some(0, 4)
    assert await bus.history(RUN) == some(0, 4)


async def test_a_worker_that_lost_its_run_is_not_heard(open_bus: OpenBus, publish):
    bus = await open_bus()
    async with bus.tail(RUN, None) as tail:
        await publish(*some(0, 2))
        await publish(*some(0, 2, epoch=2))
        await publish(*some(2, 2))
        await publish(*some(2, 1, epoch=2))
        expected = [*some(0, 2), *some(0, 3, epoch=2)]
        assert await read(tail, 5) == expected
    assert await bus.history(RUN) == expected
    async with bus.tail(RUN, (1, 1)) as tail:
        assert await read(tail, 3) == expected[2:]


async def test_what_was_missed_live_is_read_back(open_bus: OpenBus, monkeypatch):
    here, there = await open_bus(), await open_bus()
    async with there.tail(RUN, None) as far:
        make_deaf(far, monkeypatch, [some(3, 1), some(0, 1, epoch=2)])
        for seq in range(6):
            here.emit(RUN, some(seq, 1))
        for seq in range(3):
            here.emit(RUN, some(seq, 1, epoch=2))
        assert await read(far, 9) == [*some(0, 6), *some(0, 3, epoch=2)]


async def test_the_last_words_of_an_epoch_are_not_missed(open_bus: OpenBus, monkeypatch):
    """No number shows how many events an epoch had."""
    here, there = await open_bus(), await open_bus()
    async with there.tail(RUN, None) as far:
        make_deaf(far, monkeypatch, [some(2, 1)])
        for seq in range(3):
            here.emit(RUN, some(seq, 1))
        here.emit(RUN, some(0, 1, epoch=2))
        assert await read(far, 4) == [*some(0, 3), *some(0, 1, epoch=2)]


async def test_a_hole_that_nobody_can_fill_is_told(open_bus: OpenBus, publish, hasty):
    bus = await open_bus()
    async with bus.tail(RUN, None) as tail:
        await publish(*some(0, 2))
        await publish(*some(3, 2))
        assert await read(tail, 2) == some(0, 2)
        with pytest.raises(EventsLost):
            await tail.next(GUARD)


async def test_what_was_sent_again_out_of_turn_is_read_in_turn(open_bus: OpenBus, publish):
    """As after an election: what nobody kept meanwhile follows in the stream on what came after it."""
    bus = await open_bus()
    await publish(*some(0, 2))
    await publish(*some(5, 2))
    await publish(*some(2, 5))
    await publish(*some(7, 1))
    await publish(*some(0, 2, epoch=2))
    expected = [*some(0, 8), *some(0, 2, epoch=2)]
    assert await bus.history(RUN) == expected
    async with bus.tail(RUN, (1, 0)) as tail:
        assert await read(tail, 9) == expected[1:]


async def test_a_hole_before_a_new_epoch_is_told(open_bus: OpenBus, publish, hasty):
    bus = await open_bus()
    await publish(*some(0, 2))
    await publish(*some(3, 2))
    await publish(*some(0, 2, epoch=2))
    async with bus.tail(RUN, (1, 0)) as tail:
        assert await read(tail, 1) == some(1, 1)
        with pytest.raises(EventsLost):
            await tail.next(GUARD)


async def test_an_event_stored_after_a_reader_looked_is_found(open_bus: OpenBus, publish, monkeypatch):
    """It was passed on before the reader came, so it never comes live."""
    bus = await open_bus()
    await publish(*some(0, 2))
    async with bus.tail(RUN, (1, 0)) as tail:
        assert await read(tail, 1) == some(1, 1)
        make_deaf(tail, monkeypatch, [some(2, 1)])
        await publish(*some(2, 1))
        assert await read(tail, 1) == some(2, 1)


async def test_a_foreign_message_is_skipped(open_bus: OpenBus, nats_server, prefix):
    bus = await open_bus()
    client = await nats.connect(nats_server.url)
    async with bus.tail(RUN, None) as tail:
        for nonsense in (b"nonsense", b"1 2\n", b"1 0 done 99\nshort", b""):
            await client.publish(f"{prefix}.event.{RUN}", nonsense)
        await client.flush()
        bus.emit(RUN, some(0, 1))
        assert await read(tail, 1) == some(0, 1)
        assert await bus.history(RUN) == some(0, 1)
    await client.close()


async def test_a_long_run_is_replayed_whole(open_bus: OpenBus):
    here, there = await open_bus(), await open_bus()
    for first in range(0, 20_000, 4):
        here.emit(RUN, some(first, 4))
        if first % 1_000 == 0:
            await asyncio.sleep(0)
    async with there.tail(OTHER, None), here.tail(RUN, (1, 0)) as near:
        assert await read(near, 19_999) == some(1, 19_999)
    async with there.tail(RUN, (1, 15_000)) as far:
        here.emit(RUN, some(20_000, 1))
        assert await read(far, 5_000) == some(15_001, 5_000)


async def test_a_run_that_was_longer_than_what_is_kept_is_told(open_bus: OpenBus):
    bus = await open_bus(max_events=10)
    for seq in range(30):
        bus.emit(RUN, some(seq, 1))
    assert await bus.history(RUN) == some(20, 10)
    with pytest.raises(EventsLost):
        async with bus.tail(RUN, (1, 5)):
            pass
    async with bus.tail(RUN, (1, 19)) as tail:
        assert await read(tail, 10) == some(20, 10)


async def test_a_reader_knows_whether_more_is_kept(open_bus: OpenBus):
    here, there = await open_bus(), await open_bus()
    here.emit(RUN, some(0, 3))
    assert await here.history(RUN) == some(0, 3)
    async with there.tail(RUN, (1, 1)) as middle, there.tail(RUN, (1, 2)) as end:
        assert not await middle.is_at_end()
        assert await read(middle, 1) == some(2, 1)
        assert await middle.is_at_end()
        assert await end.is_at_end()
        here.emit(RUN, some(3, 1))
        assert await read(middle, 1) == some(3, 1)
        assert not await end.is_at_end()


# Bounds


async def test_a_slow_reader_holds_little_and_misses_nothing(open_bus: OpenBus):
    here, there = await open_bus(), await open_bus(max_buffer=20_000)
    async with there.tail(RUN, None) as slow, there.tail(RUN, None) as quick:
        for seq in range(2_000):
            here.emit(RUN, some(seq, 1, data=b"x" * 100))
            if seq % 50 == 49:
                assert await read(quick, 50) == some(seq - 49, 50, data=b"x" * 100)
                assert slow.size <= 20_000 + 300
        assert await read(slow, 2_000) == some(0, 2_000, data=b"x" * 100)


async def test_a_slow_reader_of_what_is_not_kept_is_told(open_bus: OpenBus, hasty):
    here, there = await open_bus(max_events=10), await open_bus(max_events=10, max_buffer=5_000)
    async with there.tail(RUN, None) as slow, there.tail(RUN, None) as quick:
        for seq in range(200):
            here.emit(RUN, some(seq, 1))
            assert await read(quick, 1) == some(seq, 1)
        with pytest.raises(EventsLost):
            await slow.next(GUARD)


async def test_what_waits_for_a_server_is_bounded_and_its_loss_is_told(open_bus: OpenBus, mortal):
    here, there = await open_bus(mortal, max_outbox=50_000), await open_bus(mortal)
    async with there.tail(RUN, None) as silent, there.tail(OTHER, None) as talking:
        here.emit(RUN, some(0, 1))
        here.emit(OTHER, some(0, 1))
        assert await read(silent, 1) == await read(talking, 1)
        mortal.kill()
        await down(here, there)
        here.emit(RUN, some(1, 1))
        for seq in range(1, 1_000):
            here.emit(OTHER, some(seq, 1, data=b"x" * 1_000))
            assert here._outbox.size <= 50_000
        mortal.start()
        for tail in (silent, talking):
            with pytest.raises(EventsLost):
                await tail.next(RETURN)


async def test_an_event_too_large_to_send_is_told(open_bus: OpenBus):
    here, there = await open_bus(), await open_bus()
    async with here.tail(RUN, None) as near, there.tail(RUN, None) as far:
        large = some(1, 1, data=b"x" * 1_500_000)
        here.emit(RUN, some(0, 1))
        here.emit(RUN, large)
        assert await read(near, 2) == [*some(0, 1), *large]
        assert await read(far, 1) == some(0, 1)
        with pytest.raises(EventsLost):
            await far.next(GUARD)


async def test_large_events_that_fit_one_by_one_are_sent(open_bus: OpenBus):
    here, there = await open_bus(), await open_bus()
    async with there.tail(RUN, None) as far:
        here.emit(RUN, some(0, 4, data=b"x" * 700_000))
        assert await read(far, 4) == some(0, 4, data=b"x" * 700_000)


async def test_readers_that_leave_leave_nothing_behind(open_bus: OpenBus):
    bus = await open_bus()
    before = len(bus._connection.client._subs)
    for i in range(10):
        async with bus.tail(RunId(f"run_{i}"), None), bus.tail(RunId(f"run_{i}"), None):
            pass
    assert not bus._interests
    assert len(bus._connection.client._subs) == before


# Offers and cancellations between nodes


async def test_each_offer_goes_to_one_node(open_bus: OpenBus):
    nodes = [await open_bus() for _ in range(3)]
    taken: list[RunId] = []
    ids = [RunId(f"run_{i}") for i in range(200)]

    async def keep_taking(bus: Bus) -> None:
        async for run_id in bus.offers():
            taken.append(run_id)

    takers = [asyncio.create_task(keep_taking(node)) for node in nodes[1:]]
    for id in ids:
        await nodes[0].offer(id)
    await until(lambda: len(taken) >= len(ids), RETURN)
    assert sorted(taken) == sorted(ids)
    for taker in takers:
        taker.cancel()
    await asyncio.gather(*takers, return_exceptions=True)


async def test_a_node_that_takes_nothing_holds_nothing_back(open_bus: OpenBus):
    full, free = await open_bus(), await open_bus()
    offers = aiter(full.offers())
    for i in range(10):
        await full.offer(RunId(f"run_{i}"))
    first = await anext(offers)
    assert len({first, *await take(free, 9)}) == 10


async def test_a_run_that_waits_is_not_queued_again(open_bus: OpenBus):
    bus = await open_bus()
    for id in (RUN, RUN, OTHER, RUN):
        await bus.offer(id)
    assert await take(bus, 2) == [RUN, OTHER]


async def test_a_run_that_was_taken_can_be_offered_again(open_bus: OpenBus):
    bus = await open_bus()
    for _ in range(3):
        await bus.offer(RUN)
        assert await take(bus, 1) == [RUN]
        await bus.offer(OTHER)
        assert await take(bus, 1) == [OTHER]


async def test_an_owner_on_another_node_is_told_to_look(open_bus: OpenBus):
    here, there = await open_bus(), await open_bus()
    cancels = there.cancels("w1")
    await here.cancel("w2", OTHER)
    await here.cancel("w1", RUN)
    async with asyncio.timeout(GUARD):
        assert await anext(aiter(cancels)) == RUN


async def test_a_run_is_offered_to_an_owner_behind_its_events(open_bus: OpenBus, nats_server, prefix):
    """Whoever takes it speaks in a later epoch: what is kept behind that would look like a lost worker's."""
    bus = await open_bus()
    client = await nats.connect(nats_server.url)
    heard = await client.subscribe(f"{prefix}.*.*")
    await client.flush()
    for seq in range(100):
        bus.emit(RUN, [an_event(1, seq)])
    await bus.offer_to("w1", RUN)
    subjects = [(await heard.next_msg(GUARD)).subject for _ in range(101)]
    assert subjects == [f"{prefix}.event.{RUN}"] * 100 + [f"{prefix}.cancel.w1"]
    await client.close()


@pytest.mark.parametrize("id", ["", "run.1", "run_*", ">", "run 1", "run_1\r\nPUB x 0"])
async def test_an_id_becomes_no_other_subject(open_bus: OpenBus, id):
    bus = await open_bus()
    with pytest.raises(ValueError, match="no part of a subject"):
        bus.emit(RunId(id), [an_event(1, 0)])


# Stopping


async def test_closing_says_what_is_left_to_say(open_bus: OpenBus):
    here, there = await open_bus(), await open_bus()
    async with there.tail(RUN, None) as far:
        here.emit(RUN, some(0, 500))
        await here.close()
        assert await read(far, 500) == some(0, 500)


async def test_who_takes_offers_of_a_closed_bus_is_let_go(open_bus: OpenBus):
    bus = await open_bus()
    taking = asyncio.create_task(take(bus, 1))
    await asyncio.sleep(0)
    await bus.close()
    async with asyncio.timeout(GUARD):
        assert await taking == []
