"""What is peculiar to readers over NATS: several nodes, holes in what they hear, bounds."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import nats
import pytest

from runstead.bus.nats_frames import encode
from runstead.bus.nats_tail import NatsTail
from runstead.ports import EventsLost
from runstead.wire.base import RunId
from runstead.wire.events import StreamEvent
from tests.contract.bus.conftest import OpenBus
from tests.contract.bus.events import GUARD, OTHER, RUN, an_event, read, some
from tests.contract.bus.nats_server import NatsServer


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


def make_deaf(tail: NatsTail, monkeypatch: pytest.MonkeyPatch, unheard: list[list[StreamEvent]]) -> None:
    """What comes live to this reader does not reach it, as when the library drops it."""
    feed = tail.feed
    monkeypatch.setattr(tail, "feed", lambda frames: None if frames in unheard else feed(frames))


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


DIES = """
import asyncio, os, signal, sys
from runstead.bus.nats import NatsBus
from runstead.bus.nats_dialing import Connecting
from runstead.bus.nats_streams import Streams
from tests.contract.bus.events import RUN, some

async def main():
    bus = NatsBus(Connecting(url=sys.argv[1]), Streams(prefix=sys.argv[2], max_bytes=2**26, storage="memory"))
    await bus.open()
    for seq in range(200):
        bus.emit(RUN, some(seq, 1))
    await bus.push(RUN)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_what_was_pushed_outlives_its_node(open_bus: OpenBus, nats_server: NatsServer, prefix: str):
    there = await open_bus()
    async with there.tail(RUN, None) as far:
        dying = await asyncio.create_subprocess_exec(sys.executable, "-c", DIES, nats_server.url, prefix)
        assert await dying.wait() == -signal.SIGKILL
        assert await read(far, 200) == some(0, 200)


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
