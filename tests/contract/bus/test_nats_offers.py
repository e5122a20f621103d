"""Offers and signals over NATS: to one node each, to the right one, and again when that is needed."""

import asyncio

import nats

from runstead.ports import Bus
from runstead.wire.base import RunId
from tests.contract.bus.conftest import OpenBus
from tests.contract.bus.events import GUARD, OTHER, RUN, an_event, until
from tests.contract.bus.waiting import RETURN, take


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


async def test_who_takes_offers_of_a_closed_bus_is_let_go(open_bus: OpenBus):
    bus = await open_bus()
    taking = asyncio.create_task(take(bus, 1))
    await asyncio.sleep(0)
    await bus.close()
    async with asyncio.timeout(GUARD):
        assert await taking == []
