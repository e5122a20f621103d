"""Servers of the bus that die, freeze or forget: nobody waits for them, and nothing is lost unsaid."""

import asyncio
import time

import nats
import pytest

from runstead.ports import EventsLost
from tests.contract.bus.conftest import OpenBus
from tests.contract.bus.events import OTHER, RUN, read, some, until
from tests.contract.bus.waiting import RETURN, down, take, up

AT_ONCE = 0.05
"""Seconds in which whoever says something must be free again, whatever the server does."""


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
