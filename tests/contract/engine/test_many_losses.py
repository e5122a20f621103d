"""A worker that held many runs dies: they are taken over together, and nobody takes more than it has room for."""

from runstead.executor.reconciler import BATCH
from tests.contract.engine.virtual_time import in_virtual_time
from tests.contract.engine.world import LEASE_FOR, a_world
from tests.unit.domain.making import words

MANY = BATCH * 2 + 50


@in_virtual_time
async def test_all_runs_of_a_dead_worker_are_taken_over_in_one_round():
    async with a_world(nodes=2, capacity=MANY) as world:
        dying, living = world.nodes
        world.seats_on = dying
        gates = [world.model.will_stop_at_a_gate([words("Hi")]) for _ in range(MANY)]
        for _ in range(MANY):
            await world.create_run()
        for gate in gates:
            await gate.reached.wait()
        await dying.die()
        again = [world.model.will_stop_at_a_gate([words("Hi")]) for _ in range(MANY)]
        # Room for one round after the last lease, and not for one for each batch.
        await world.pass_time(LEASE_FOR + 1.3)
        assert sum(gate.reached.is_set() for gate in again) == MANY
        assert len(living.worker.drivers) == MANY


@in_virtual_time
async def test_a_node_takes_no_more_than_it_has_room_for():
    async with a_world(nodes=1, capacity=100) as world:
        dying = world.nodes[0]
        gates = [world.model.will_stop_at_a_gate([words("Hi")]) for _ in range(20)]
        for _ in range(20):
            await world.create_run()
        for gate in gates:
            await gate.reached.wait()
        await dying.die()
        small = world.add_node(3)
        more = [world.model.will_stop_at_a_gate([words("Hi")]) for _ in range(20)]
        await world.pass_time(LEASE_FOR + 3)
        assert len(small.worker.drivers) == 3
        assert sum(gate.reached.is_set() for gate in more) == 3
