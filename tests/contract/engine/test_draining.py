"""Workers that leave: what they hold goes to others at once, and they take nothing more."""

import asyncio

from structlog.testing import capture_logs

from tests.contract.engine.held_runs import held_run
from tests.contract.engine.virtual_time import in_virtual_time, the_loop
from tests.contract.engine.world import a_world


@in_virtual_time
async def test_a_drain_hands_a_run_to_another_node_without_a_wait():
    async with a_world() as world:
        run, _ = await held_run(world, seats_on=world.nodes[0])
        world.add_node()
        began = the_loop().time()
        await world.nodes[0].drain()
        await world.settled()
        assert the_loop().time() - began <= 1.0 + 1e-6
        assert await world.status(run) == "completed"
        told = await world.told(run)
        assert told.count("run.in_progress") == 1
        assert told[-1] == "run.completed"


@in_virtual_time
async def test_a_drain_lets_end_what_ends_soon():
    async with a_world() as world:
        run, go_on = await held_run(world)
        draining = asyncio.create_task(world.nodes[0].drain())
        await world.settled()
        go_on.set()
        await draining
        assert await world.status(run) == "completed"
        assert (await world.record(run)).epoch == 2


@in_virtual_time
async def test_a_node_that_drains_takes_no_more_runs():
    async with a_world() as world:
        node = world.nodes[0]
        node.worker.stop_taking()
        assert node.worker.take_seat() is None
        run = await world.create_run()
        await world.pass_time(5.0)
        assert await world.status(run) == "queued"
        world.add_node()
        assert await world.rested(run) == "completed"


@in_virtual_time
async def test_what_a_draining_node_is_offered_goes_to_another_at_once():
    async with a_world() as world:
        node = world.nodes[0]
        await world.settled()
        node.worker.stop_taking()
        began = the_loop().time()
        run = await world.create_run()
        await world.settled()
        world.add_node()
        await world.settled()
        assert (await world.status(run), the_loop().time()) == ("completed", began)


@in_virtual_time
async def test_a_run_that_is_seated_during_a_drain_is_handed_back():
    async with a_world() as world:
        first = world.nodes[0]
        seat = first.worker.take_seat()
        assert seat is not None
        first.worker.stop_taking()
        second = world.add_node()
        world.seat = seat
        gate = world.model.will_stop_at_a_gate()
        run = await world.create_run()
        await gate.reached.wait()
        assert list(second.worker.drivers) == [run.id]
        assert not first.worker.drivers


@in_virtual_time
async def test_a_drain_that_comes_during_a_runs_last_commit_hands_nothing_back():
    async with a_world(nodes=2) as world:
        run, go_on = await held_run(world, seats_on=world.nodes[0])
        node = world.nodes[0]
        held = node.line.slow = asyncio.Event()
        go_on.set()
        await node.line.arrived.wait()
        with capture_logs() as logs:
            draining = asyncio.create_task(node.worker.drain(2.0, finish_for=0.0))
            await world.settled()
            node.line.slow = None
            held.set()
            await draining

        assert await world.status(run) == "completed"
        assert [entry["event"] for entry in logs] == []
