"""Which node runs the code of a thread: the one that has its variables while it lives and has room, and nobody is misled."""

import pytest
from msgspec import structs

from runstead.domain.errors import Unavailable
from runstead.tools.code_interpreter import STARTED_ANEW
from tests.contract.engine.coding import a_first_run, a_run, told, two_nodes, where
from tests.contract.engine.test_builtin_tools import code
from tests.contract.engine.virtual_time import in_virtual_time, the_loop
from tests.contract.engine.world import BUILTIN, LEASE_FOR, using

RENEWED = LEASE_FOR / 3 + 0.1
"""Seconds within which a node has renewed its leases once."""


@pytest.mark.parametrize("place", [0, 1])
@in_virtual_time
async def test_a_run_goes_at_once_to_the_node_that_has_the_variables(place):
    async with two_nodes() as (world, *nodes):
        here, elsewhere = nodes[place], nodes[1 - place]
        run = await a_first_run(world, here)

        begun = the_loop().time()
        assert await told(world, await a_run(world, elsewhere, "b", run)) == "knows ['a']"
        # Less than any reconciler would let a run wait.
        assert the_loop().time() - begun < 2.0

        at_home = await a_run(world, here, "c", run)
        assert (await world.record(at_home)).owner == here.worker.owner
        assert await told(world, at_home) == "knows ['a', 'b']"
        assert elsewhere.memory.sessions == {}
        assert await where(world, run) == (here.worker.owner, 1)


@in_virtual_time
async def test_runs_that_have_no_use_for_code_stay_where_they_were_created():
    async with two_nodes() as (world, first, second):
        run = await a_first_run(world, first)

        world.seats_on = second
        plain = await world.create_run(run.thread_id)

        assert (await world.record(plain)).owner == "w2"
        assert await world.rested(plain) == "completed"


@in_virtual_time
async def test_where_the_offer_is_lost_the_run_waits_for_the_node_that_has_the_variables():
    async with two_nodes() as (world, first, second):
        run = await a_first_run(world, first)
        world.bus.loses_offers = True

        assert await told(world, await a_run(world, second, "b", run)) == "knows ['a']"

        assert second.memory.sessions == {}


@in_virtual_time
async def test_a_node_that_died_is_waited_for_as_long_as_its_lease_lasts():
    async with two_nodes() as (world, first, second):
        run = await a_first_run(world, first)
        await first.die()
        world.nodes.remove(first)

        begun = the_loop().time()
        assert await told(world, await a_run(world, second, "b", run)) == f"{STARTED_ANEW}\nknows []"
        assert the_loop().time() - begun < LEASE_FOR + 2.0

        assert await told(world, await a_run(world, second, "c", run)) == "knows ['b']"
        assert await where(world, run) == ("w2", 2)


@in_virtual_time
async def test_a_node_that_left_is_not_waited_for():
    async with two_nodes() as (world, first, second):
        run = await a_first_run(world, first)
        await first.drain()
        await first.sessions.leave()

        begun = the_loop().time()
        assert await told(world, await a_run(world, second, "b", run)) == f"{STARTED_ANEW}\nknows []"
        assert the_loop().time() - begun < 2.0


@in_virtual_time
async def test_a_node_that_is_leaving_passes_on_what_it_is_offered():
    async with two_nodes() as (world, first, second):
        run = await a_first_run(world, first)
        first.worker.stop_taking()

        begun = the_loop().time()
        assert await told(world, await a_run(world, second, "b", run)) == f"{STARTED_ANEW}\nknows []"
        assert the_loop().time() - begun < 2.0


@in_virtual_time
async def test_a_node_that_is_full_passes_its_thread_on_and_forgets_it():
    async with two_nodes(capacity=1) as (world, first, second):
        run = await a_first_run(world, first)
        gate = world.model.will_stop_at_a_gate()
        busy = await world.create_run()
        await gate.reached.wait()

        assert await told(world, await a_run(world, second, "b", run)) == f"{STARTED_ANEW}\nknows []"

        # What the first has of it is of no use to anybody, and nobody is asked for it.
        await world.pass_time(RENEWED)
        assert first.memory.sessions == {}
        gate.opened.set()
        assert await world.rested(busy) == "completed"
        assert await told(world, await a_run(world, first, "c", run)) == "knows ['b']"


@in_virtual_time
async def test_a_session_that_others_came_after_is_not_used_again():
    async with two_nodes() as (world, first, second):
        run = await a_first_run(world, first)
        # As long as it is cut off its session stays, and nobody tells it anything.
        first.line.is_down = True
        await world.pass_time(LEASE_FOR + 0.1)
        assert await told(world, await a_run(world, second, "b", run)) == f"{STARTED_ANEW}\nknows []"
        assert first.memory.sessions == {run.thread_id: ["a"]}
        await second.drain()
        await second.sessions.leave()
        first.line.is_down = False

        # Before its next renewal.
        assert await told(world, await a_run(world, first, "c", run)) == f"{STARTED_ANEW}\nknows []"
        assert first.memory.sessions == {run.thread_id: ["c"]}
        assert await where(world, run) == ("w1", 3)


@in_virtual_time
async def test_nor_is_it_used_where_the_answer_was_lost_that_told_so():
    async with two_nodes() as (world, first, second):
        run = await a_first_run(world, first)
        first.line.is_down = True
        await world.pass_time(LEASE_FOR + 0.1)
        assert await told(world, await a_run(world, second, "b", run)) == f"{STARTED_ANEW}\nknows []"
        await second.drain()
        await second.sessions.leave()
        first.line.is_down = False
        gate = world.model.will_stop_at_a_gate(then=using(code("call_c", "c")))
        world.seats_on = first
        later = await world.create_run(run.thread_id, assistant_id=BUILTIN)
        await gate.reached.wait()

        first.line.loses_answers = 1
        with pytest.raises(Unavailable):
            async with first.sessions.at_home(await world.record(later)):
                raise AssertionError("it does not know")
        gate.opened.set()

        assert await told(world, later) == f"{STARTED_ANEW}\nknows []"


@in_virtual_time
async def test_a_session_that_nobody_came_after_survives_its_lease():
    async with two_nodes() as (world, first, _):
        run = await a_first_run(world, first)
        first.line.is_down = True
        await world.pass_time(LEASE_FOR * 2)
        first.line.is_down = False

        assert await told(world, await a_run(world, first, "b", run)) == "knows ['a']"


@in_virtual_time
async def test_a_session_that_has_ended_draws_no_runs():
    async with two_nodes() as (world, first, second):
        run = await a_first_run(world, first)
        # As where it idled for too long.
        await first.memory.release(run.thread_id)
        await world.pass_time(RENEWED)
        assert await where(world, run) == (None, 1)

        later = await a_run(world, second, "b", run)

        assert (await world.record(later)).owner == "w2"
        assert await told(world, later) == f"{STARTED_ANEW}\nknows []"
        assert await where(world, run) == ("w2", 2)


@in_virtual_time
async def test_a_thread_that_is_deleted_anywhere_loses_its_session():
    async with two_nodes() as (world, first, _):
        run = await a_first_run(world, first)

        await world.delete_thread(run)
        await world.pass_time(RENEWED)

        assert first.memory.sessions == {}


@in_virtual_time
async def test_a_session_is_not_let_go_of_while_a_call_is_about_to_open_it():
    async with two_nodes() as (world, first, _):
        world.seats_on = first
        gate = world.model.will_stop_at_a_gate()
        run = await world.create_run(assistant_id=BUILTIN)
        await gate.reached.wait()

        async with first.sessions.at_home(await world.record(run)):
            await world.pass_time(RENEWED)
            assert await where(world, run) == ("w1", 1)

        await world.pass_time(RENEWED)
        assert await where(world, run) == (None, 1)
        gate.opened.set()
        assert await world.rested(run) == "completed"


@in_virtual_time
async def test_who_has_lost_the_run_gets_no_session():
    async with two_nodes() as (world, first, second):
        world.seats_on = first
        gate = world.model.will_stop_at_a_gate()
        run = await world.create_run(assistant_id=BUILTIN)
        await gate.reached.wait()
        record = await world.record(run)

        with pytest.raises(Unavailable):
            async with second.sessions.at_home(record):
                raise AssertionError("it has none")
        with pytest.raises(Unavailable):
            async with first.sessions.at_home(structs.replace(record, epoch=record.epoch - 1)):
                raise AssertionError("it has none")

        assert await where(world, run) is None
        gate.opened.set()
        assert await world.rested(run) == "completed"


@in_virtual_time
async def test_a_node_whose_claim_was_answered_to_nobody_is_not_asked_for_ever():
    async with two_nodes() as (world, first, _):
        other = await a_run(world, first, "a")
        assert await told(world, other) == "knows []"
        gate = world.model.will_stop_at_a_gate(then=using(code("call_b", "b")))
        world.seats_on = first
        run = await world.create_run(assistant_id=BUILTIN)
        await gate.reached.wait()
        first.line.loses_answers = 1
        with pytest.raises(Unavailable):
            async with first.sessions.at_home(await world.record(run)):
                raise AssertionError("it does not know")
        assert await where(world, run) == ("w1", 1)

        await world.pass_time(RENEWED)

        assert await where(world, run) == (None, 1)
        gate.opened.set()
        assert await told(world, run) == "knows []"
