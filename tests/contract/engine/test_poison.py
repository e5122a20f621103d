"""Runs that take their workers with them are given up; runs that only had bad luck are not."""

from runstead.wire.runs import Run
from tests.contract.engine.virtual_time import in_virtual_time
from tests.contract.engine.world import World, a_world
from tests.unit.domain.making import words


async def kill_its_worker(world: World, run: Run, *, after: float = 1.0) -> None:
    """Let whoever holds the run die `after` seconds after the claim, and another node come up."""
    await world.settled()
    while (await world.record(run)).owner is None:
        await world.pass_time(0.25)
    await world.pass_time(after)
    owner = (await world.record(run)).owner
    (holder,) = [node for node in world.nodes if node.worker.owner == owner]
    await holder.die()
    world.add_node()
    epoch = (await world.record(run)).epoch
    for _ in range(60):
        record = await world.record(run)
        if record.epoch > epoch or record.owner is None:
            return
        await world.pass_time(0.25)
    raise AssertionError("nobody took the run over")


@in_virtual_time
async def test_a_run_that_kills_three_workers_is_given_up():
    async with a_world() as world:
        for _ in range(5):
            world.model.will_stop_at_a_gate([words("Hel")])
        run = await world.create_run()
        for _ in range(3):
            await kill_its_worker(world, run)
        await world.settled()
        assert await world.status(run) == "failed"
        assert "3 times in a row" in (await world.record(run)).run.last_error.message
        assert len(world.model.requests) == 3
        assert (await world.told(run))[-1] == "run.failed"


@in_virtual_time
async def test_a_run_that_outlives_its_claim_is_no_poison():
    async with a_world() as world:
        for _ in range(5):
            world.model.will_stop_at_a_gate([words("Hel")])
        run = await world.create_run()
        for _ in range(4):
            await kill_its_worker(world, run, after=20.0)
        assert await world.status(run) == "in_progress"
        assert (await world.record(run)).lost_leases == 0


@in_virtual_time
async def test_runs_that_were_lost_together_are_no_poison():
    async with a_world() as world:
        for _ in range(20):
            world.model.will_stop_at_a_gate([words("Hel")])
        made = [await world.create_run() for _ in range(3)]
        for _ in range(4):
            await kill_its_worker(world, made[0])
        assert [await world.status(run) for run in made] == ["in_progress"] * 3


@in_virtual_time
async def test_runs_whose_leases_end_one_after_the_other_were_lost_together_too():
    async with a_world() as world:
        for _ in range(20):
            world.model.will_stop_at_a_gate([words("Hel")])
        node = world.nodes[0]
        first = await world.create_run()
        await world.pass_time(3.9)
        second = await world.create_run()
        await world.pass_time(0.05)
        await node.die()
        world.add_node()
        await world.pass_time(10.0)
        assert (await world.record(first)).epoch == (await world.record(second)).epoch == 3
        assert (await world.record(second)).lost_leases == 0


@in_virtual_time
async def test_drains_are_no_poison():
    async with a_world() as world:
        for _ in range(5):
            world.model.will_stop_at_a_gate([words("Hel")])
        run = await world.create_run()
        for _ in range(4):
            await world.settled()
            (holder,) = [node for node in world.nodes if node.worker.drivers]
            other = world.add_node()
            await holder.drain()
            await world.settled()
            assert list(other.worker.drivers) == [run.id]
        assert await world.status(run) == "in_progress"
        assert (await world.record(run)).lost_leases == 0
