"""Workers that die, hang or lose the store: nothing is written twice, and nothing is lost."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from runstead.domain.errors import Unavailable
from runstead.domain.records import RunRecord
from runstead.executor import reconciler
from tests.contract.engine.held_runs import HI_AGAIN, held_run
from tests.contract.engine.virtual_time import in_virtual_time, the_loop
from tests.contract.engine.world import LEASE_FOR, Line, Node, a_world, calling
from tests.unit.domain.making import words


@in_virtual_time
async def test_a_dead_workers_run_is_taken_over_and_its_words_said_anew():
    async with a_world(nodes=2) as world:
        run, _ = await held_run(world, seats_on=world.nodes[0])
        await world.nodes[0].die()
        assert await world.rested(run, within=LEASE_FOR + 2.0) == "completed"

        told = await world.told(run)
        lost = told.index("message.incomplete")
        assert told[lost : lost + 2] == ["message.incomplete", "run.step.failed"]
        assert told[-1] == "run.completed"
        assert told.count("run.in_progress") == 1
        (message,), (step,) = await world.messages(run), await world.steps(run)
        assert message.content[0].text.value == "Hello"
        assert step.status == "completed"
        record = await world.record(run)
        assert (record.epoch, record.model_calls) == (3, 1)


@in_virtual_time
async def test_a_finished_round_is_not_repeated():
    async with a_world(nodes=2) as world:
        world.seats_on = world.nodes[0]
        world.model.will(calling("a", name="nope"))
        run, _ = await held_run(world, seats_on=world.nodes[0])
        await world.nodes[0].die()
        assert await world.rested(run) == "completed"
        assert [step.type for step in await world.steps(run)] == ["tool_calls", "message_creation"]
        assert len(world.model.requests) == 3
        assert (await world.record(run)).model_calls == 2


@in_virtual_time
async def test_a_new_process_adopts_everything_at_once():
    async with a_world() as world:
        held = [(await held_run(world, seats_on=world.nodes[0]))[0] for _ in range(3)]
        world.model.will(calling("a"))
        waiting = await world.create_run()
        await world.rested(waiting)
        await world.nodes[0].die()
        world.seats_on = None
        began = the_loop().time()
        queued = await world.create_run()

        node = world.add_node()
        await reconciler.adopt(node.worker)
        await world.settled()

        assert the_loop().time() == began
        assert [await world.status(run) for run in (*held, queued)] == ["completed"] * 4
        assert await world.status(waiting) == "requires_action"
        for run in held:
            await world.told(run)
            assert (await world.record(run)).lost_leases == 0


@in_virtual_time
async def test_adopting_ends_what_is_past_its_deadline():
    async with a_world() as world:
        world.model.will(calling("a"))
        waiting = await world.create_run()
        await world.rested(waiting)
        held, _ = await held_run(world)
        await world.nodes[0].die()
        await world.pass_time(700.0)
        node = Node(world, "w9", 10)
        world.nodes.append(node)
        await reconciler.adopt(node.worker)
        assert [await world.status(run) for run in (waiting, held)] == ["expired"] * 2


@in_virtual_time
async def test_a_worker_that_was_stopped_neither_says_nor_writes_anything_when_it_wakes():
    async with a_world(nodes=2) as world:
        first = world.nodes[0]
        run, go_on = await held_run(world, seats_on=first)
        await first.freeze()
        assert await world.rested(run) == "completed"
        events, record = await world.events(run), await world.record(run)

        go_on.set()
        await world.settled()

        assert await world.events(run) == events
        assert await world.record(run) == record
        assert len(await world.messages(run)) == 1
        assert not first.worker.drivers


@in_virtual_time
async def test_a_commit_under_way_when_the_lease_is_lost_changes_nothing():
    async with a_world(nodes=2) as world:
        first = world.nodes[0]
        run, go_on = await held_run(world, seats_on=first)
        first.line.slow = asyncio.Event()
        go_on.set()
        await first.line.arrived.wait()
        await first.freeze()
        assert await world.rested(run) == "completed"
        events, record = await world.events(run), await world.record(run)

        first.line.slow.set()
        await world.settled()

        assert (await world.events(run), await world.record(run)) == (events, record)
        assert len(await world.steps(run)) == 1
        await world.told(run)


@in_virtual_time
async def test_a_worker_that_hears_of_its_loss_lets_the_model_go():
    async with a_world(nodes=2) as world:
        first = world.nodes[0]
        run, _ = await held_run(world, seats_on=first)
        await first.freeze()
        await world.rested(run)
        assert world.model.open == 1
        first.start()
        await world.pass_time(2.5)
        assert world.model.open == 0
        assert not first.worker.drivers


@in_virtual_time
async def test_a_worker_that_cannot_renew_distrusts_itself_before_its_lease_ends():
    async with a_world(nodes=2) as world:
        first = world.nodes[0]
        run, _ = await held_run(world, seats_on=first)
        first.line.is_down = True
        await world.pass_time(4.1)
        assert world.model.open == 0
        assert not first.worker.drivers
        assert (await world.record(run)).owner == "w1"
        assert await world.rested(run) == "completed"
        await world.told(run)


@in_virtual_time
async def test_a_renewal_that_hangs_is_no_renewal():
    async with a_world() as world:
        first = world.nodes[0]
        await held_run(world, seats_on=first)
        first.line.slow = asyncio.Event()
        await world.pass_time(4.5)
        assert world.model.open == 0
        assert not first.worker.drivers
        first.line.slow.set()


@in_virtual_time
async def test_a_store_that_is_away_for_a_moment_costs_nothing():
    async with a_world() as world:
        node = world.nodes[0]
        run, go_on = await held_run(world)
        node.line.is_down = True
        go_on.set()
        await world.pass_time(1.5)
        assert await world.status(run) == "in_progress"
        node.line.is_down = False
        assert await world.rested(run, within=1.0) == "completed"
        assert (await world.record(run)).epoch == 2
        assert len(world.model.requests) == 1
        await world.told(run)


@in_virtual_time
async def test_a_store_that_was_away_for_long_finds_its_runs_taken_up_again():
    async with a_world() as world:
        node = world.nodes[0]
        made = [(await held_run(world))[0] for _ in range(3)]
        node.line.is_down = True
        await world.pass_time(30.0)
        node.line.is_down = False
        for run in made:
            assert await world.rested(run, within=5.0) == "completed"
            assert (await world.record(run)).lost_leases == 0
            await world.told(run)


@in_virtual_time
async def test_a_lease_without_a_driver_is_not_renewed_for_ever():
    """A worker that gave a run up, and has others to renew, must not keep it from everybody."""
    async with a_world() as world:
        node = world.nodes[0]
        lost, _ = await held_run(world, seats_on=node)
        node.line.is_down = True
        await world.pass_time(4.1)
        assert not node.worker.drivers
        node.line.is_down = False
        held, go_on = await held_run(world, seats_on=node)
        assert await world.rested(lost, within=10.0) == "completed"
        assert await world.status(held) == "in_progress"
        go_on.set()
        assert await world.rested(held) == "completed"
        for run in (lost, held):
            await world.told(run)


@in_virtual_time
async def test_a_claim_whose_answer_was_lost_is_found_again():
    async with a_world() as world:
        node = world.nodes[0]
        held, go_on = await held_run(world)
        node.line.loses_answers = 1
        run = await world.create_run()
        await world.settled()
        assert (await world.record(run)).owner == "w1"
        assert await world.rested(run, within=10.0) == "completed"
        go_on.set()
        assert await world.rested(held) == "completed"


@pytest.mark.parametrize("script", [HI_AGAIN, calling("a"), calling("a", name="nope")])
def test_a_commit_whose_answer_was_lost_is_not_done_twice(script):
    @in_virtual_time
    async def scene():
        async with a_world() as world:
            node = world.nodes[0]
            gate = world.model.will_stop_at_a_gate(then=script)
            run = await world.create_run()
            await gate.reached.wait()
            node.line.loses_answers = 1
            gate.opened.set()
            assert await world.rested(run, within=10.0) in ("completed", "requires_action")
            steps = await world.steps(run)
            assert len({step.id for step in steps}) == len(steps)
            assert len(await world.messages(run)) <= 1

    scene()


@in_virtual_time
async def test_a_worker_that_takes_back_its_own_run_lets_its_old_driver_go():
    async with a_world() as world:
        node = world.nodes[0]
        run, _ = await held_run(world, seats_on=node)
        record = await world.record(run)
        gate = world.model.will_stop_at_a_gate()
        # As after a standstill of the whole process: the lease is over before anybody noticed.
        for task in node.loops[2:]:
            task.cancel()
        await world.pass_time(LEASE_FOR + 1.0)
        assert await node.worker.claim(record)
        await gate.reached.wait()
        await world.settled()
        assert world.model.open == 1


@in_virtual_time
async def test_a_renewal_that_was_asked_for_before_a_claim_was_answered_says_nothing_of_it():
    async with a_world() as world:
        node = world.nodes[0]
        seat = node.worker.take_seat()
        assert seat is not None
        await world.pass_time(0.5)
        asked_at = the_loop().time()
        await world.pass_time(0.5)
        world.seat = seat
        gate = world.model.will_stop_at_a_gate()
        run = await world.create_run()
        await gate.reached.wait()

        node.worker.renewed({}, asked_at)
        gate.opened.set()

        assert await world.rested(run) == "completed"
        assert (await world.record(run)).epoch == 2


@in_virtual_time
async def test_a_commit_that_arrives_while_another_works_is_refused():
    async with a_world(nodes=2) as world:
        first = world.nodes[0]
        run, go_on = await held_run(world, seats_on=first)
        gate = world.model.will_stop_at_a_gate([words("Again")])
        first.line.slow = asyncio.Event()
        go_on.set()
        await first.line.arrived.wait()
        await first.freeze()
        await gate.reached.wait()
        events, record = await world.events(run), await world.record(run)
        assert (record.epoch, record.owner) == (3, "w2")

        first.line.slow.set()
        await world.settled()

        assert (await world.events(run), await world.record(run)) == (events, record)
        assert await world.steps(run) == []
        gate.opened.set()
        assert await world.rested(run) == "completed"
        await world.told(run)


@in_virtual_time
async def test_a_node_that_writes_between_renewals_keeps_its_run():
    async with a_world(nodes=2) as world:
        world.seats_on = world.nodes[0]
        first, second = (world.model.will_stop_at_a_gate(then=then) for then in (calling("a", name="nope"), HI_AGAIN))
        run = await world.create_run()
        await first.reached.wait()
        # Renewed several times since the claim, the driver stores a round; its record knows only of the claim.
        await world.pass_time(LEASE_FOR * 3 + 0.1)
        first.opened.set()
        await second.reached.wait()
        await world.pass_time(LEASE_FOR)
        second.opened.set()

        assert await world.rested(run) == "completed"
        record = await world.record(run)
        assert (record.epoch, len(world.model.requests)) == (2, 2)


@in_virtual_time
async def test_outputs_whose_announcement_was_lost_are_told_by_whoever_goes_on():
    async with a_world(nodes=1) as world:
        world.model.will(calling("a"))
        run = await world.create_run()
        assert await world.rested(run) == "requires_action"
        line = cast("Line", world.journal._store)
        line.loses_answers = 1
        with pytest.raises(Unavailable):
            await world.submit(run, a="x")

        assert await world.rested(run) == "completed"
        told = await world.told(run)
        assert told.index("run.requires_action") < told.index("run.step.completed") < told.index("message.created")


@in_virtual_time
async def test_a_claim_that_was_given_up_is_not_driven_when_its_answer_comes():
    async with a_world(nodes=1) as world:
        node = world.nodes[0]
        # Without a driver nothing is renewed.
        _, go_on = await held_run(world, seats_on=node)
        world.seats_on = None
        await world.pass_time(1.9)
        seat = node.worker.take_seat()
        assert seat is not None
        claims: list[RunRecord] = []
        world.seat = SimpleNamespace(
            owner=seat.owner,
            lease_for=seat.lease_for,
            start=lambda record, messages=None: claims.append(record),
            give_back=lambda: None,
        )
        run = await world.create_run()
        # Two renewals find it with nobody to drive it; then it is offered to all.
        assert await world.rested(run, within=4.0) == "completed"

        seat.start(claims[0])

        await world.pass_time(1.0)
        assert len(world.model.requests) == 2
        await world.told(run)
        go_on.set()
