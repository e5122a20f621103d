"""Cancellation and deadlines, in every state and at every moment."""

import asyncio
from typing import cast

import pytest

from runstead.domain.errors import NotCancellable, NotFound
from runstead.wire.runs import Usage
from tests.contract.engine.virtual_time import in_virtual_time, the_loop
from tests.contract.engine.world import HELLO, Line, a_world, calling
from tests.unit.domain.making import piece, pieces, words

CUT = ["message.incomplete", "run.step.cancelled", "run.cancelled"]


@in_virtual_time
async def test_a_held_model_call_is_cut_at_once_and_its_words_kept():
    async with a_world() as world:
        gate = world.model.will_stop_at_a_gate([words("Hel")])
        run = await world.create_run()
        await gate.reached.wait()
        began = the_loop().time()

        assert (await world.cancel(run)).status in ("cancelling", "cancelled")
        await world.settled()

        assert await world.status(run) == "cancelled"
        assert the_loop().time() == began
        assert world.model.open == 0
        assert (await world.told(run))[-4:] == ["run.cancelling", *CUT]
        (message,), (step,) = await world.messages(run), await world.steps(run)
        assert (message.status, message.incomplete_details.reason) == ("incomplete", "run_cancelled")
        assert message.content[0].text.value == "Hel"
        assert step.status == "cancelled"
        record = await world.record(run)
        assert (record.run.cancelled_at, record.run.expires_at) == (int(world.clock.now()), None)
        assert record.run.usage != Usage()
        assert await world.rested(await world.create_run(run.thread_id)) == "completed"


@in_virtual_time
async def test_calls_that_were_being_written_are_kept_as_far_as_they_came():
    async with a_world() as world:
        gate = world.model.will_stop_at_a_gate([words("Hm"), pieces(piece("f", '{"x"', index=0, id="a"))])
        run = await world.create_run()
        await gate.reached.wait()
        await world.cancel(run)
        await world.settled()
        assert (await world.told(run))[-3:] == ["run.cancelling", "run.step.cancelled", "run.cancelled"]
        assert [step.status for step in await world.steps(run)] == ["completed", "cancelled"]


@in_virtual_time
async def test_a_second_cancellation_is_refused():
    async with a_world() as world:
        gate = world.model.will_stop_at_a_gate()
        run = await world.create_run()
        await gate.reached.wait()
        await world.cancel(run)
        with pytest.raises(NotCancellable):
            await world.cancel(run)


@pytest.mark.parametrize("script", [[[words("Hi")], [words(finish="stop")]], calling("a"), calling("a", name="nope")])
def test_a_cancellation_while_the_answer_is_being_stored_wins(script):
    @in_virtual_time
    async def scene():
        async with a_world() as world:
            node = world.nodes[0]
            gate = world.model.will_stop_at_a_gate(then=script)
            run = await world.create_run()
            await gate.reached.wait()
            node.line.slow = asyncio.Event()
            gate.opened.set()
            await node.line.arrived.wait()
            await world.cancel(run)
            node.line.slow.set()
            node.line.slow = None
            await world.settled()

            assert await world.status(run) == "cancelled"
            told = await world.told(run)
            assert told[-1] == "run.cancelled"
            assert "run.cancelling" in told
            assert not {"run.completed", "run.requires_action"} & set(told)
            assert len(world.model.requests) == 1

    scene()


@in_virtual_time
async def test_a_cancellation_that_comes_too_late_is_refused():
    async with a_world() as world:
        run = await world.create_run()
        await world.rested(run)
        with pytest.raises(NotCancellable):
            await world.cancel(run)


@in_virtual_time
async def test_a_lost_cancellation_is_found_with_the_next_renewal():
    async with a_world() as world:
        world.bus.loses_cancels = True
        gate = world.model.will_stop_at_a_gate([words("Hel")])
        run = await world.create_run()
        await gate.reached.wait()
        await world.cancel(run)
        await world.pass_time(2.1)
        assert await world.status(run) == "cancelled"
        assert (await world.told(run))[-4:] == ["run.cancelling", *CUT]


@in_virtual_time
async def test_a_queued_run_is_cancelled_without_a_worker():
    async with a_world(nodes=0) as world:
        run = await world.create_run()
        assert (await world.cancel(run)).status == "cancelled"
        assert await world.told(run) == ["run.created", "run.queued", "run.cancelling", "run.cancelled"]
        world.add_node()
        await world.pass_time(5.0)
        assert world.model.requests == []


@in_virtual_time
async def test_a_waiting_run_is_cancelled_with_its_step():
    async with a_world() as world:
        world.model.will(calling("a"))
        run = await world.create_run()
        await world.rested(run)
        assert (await world.cancel(run)).status == "cancelled"
        assert (await world.told(run))[-3:] == ["run.cancelling", "run.step.cancelled", "run.cancelled"]
        assert [step.status for step in await world.steps(run)] == ["cancelled"]


@in_virtual_time
async def test_a_cancelled_run_whose_worker_died_is_ended_by_the_next_one():
    async with a_world(nodes=2) as world:
        gate = world.model.will_stop_at_a_gate([words("Hel")])
        run = await world.create_run()
        await gate.reached.wait()
        holder = next(node for node in world.nodes if node.worker.drivers)
        await holder.die()
        await world.cancel(run)
        assert await world.status(run) == "cancelling"
        assert await world.rested(run, within=9.0) == "cancelled"
        assert (await world.told(run))[-4:] == [
            "message.incomplete",
            "run.step.failed",
            "run.cancelling",
            "run.cancelled",
        ]
        assert await world.messages(run) == []


@in_virtual_time
async def test_a_drain_does_not_forget_what_a_cancelled_run_said():
    async with a_world() as world:
        node = world.nodes[0]
        gate = world.model.will_stop_at_a_gate([words("Hel")])
        run = await world.create_run()
        await gate.reached.wait()
        world.bus.loses_cancels = True
        await world.cancel(run)
        await node.drain()
        await world.settled()
        assert await world.status(run) == "cancelled"
        assert (await world.told(run))[-4:] == ["run.cancelling", *CUT]
        assert [message.content[0].text.value for message in await world.messages(run)] == ["Hel"]


@in_virtual_time
async def test_a_deleted_thread_cancels_its_run_first():
    async with a_world() as world:
        gate = world.model.will_stop_at_a_gate([words("Hel")])
        run = await world.create_run()
        await gate.reached.wait()
        async with world.bus.tail(run.id, None) as tail:
            await world.delete_thread(run)
            names = [event.name for event in await tail.next(1.0)]
        assert names[-1] == "thread.run.cancelled"
        assert await world.store.find_run(run.id) is None
        assert world.model.open == 0


@in_virtual_time
async def test_a_thread_that_vanishes_under_its_run_stops_the_driver():
    async with a_world() as world:
        node = world.nodes[0]
        gate = world.model.will_stop_at_a_gate([words("Hel")])
        run = await world.create_run()
        await gate.reached.wait()
        world.bus.loses_cancels = True
        node.line.slow = asyncio.Event()
        await world.delete_thread(run)
        node.line.slow.set()
        node.line.slow = None
        await world.pass_time(3.0)
        assert not node.worker.drivers
        assert world.model.open == 0
        with pytest.raises(NotFound):
            await world.cancel(run)
        assert await world.rested(await world.create_run()) == "completed"


# Deadlines


@in_virtual_time
async def test_a_held_model_call_meets_its_deadline():
    async with a_world() as world:
        gate = world.model.will_stop_at_a_gate([words("Hel")])
        run = await world.create_run()
        await gate.reached.wait()
        await world.pass_time(599.0)
        assert await world.status(run) == "in_progress"
        await world.pass_time(1.0)
        record = await world.record(run)
        assert (record.run.status, record.run.expires_at) == ("expired", run.expires_at)
        assert (await world.told(run))[-3:] == ["message.incomplete", "run.step.expired", "run.expired"]
        (message,) = await world.messages(run)
        assert message.incomplete_details.reason == "run_expired"
        assert world.model.open == 0


@in_virtual_time
async def test_a_run_that_waits_for_its_client_meets_its_deadline():
    async with a_world() as world:
        world.model.will(calling("a"))
        run = await world.create_run()
        await world.rested(run)
        await world.pass_time(602.0)
        assert await world.status(run) == "expired"
        assert (await world.told(run))[-2:] == ["run.step.expired", "run.expired"]
        assert [step.status for step in await world.steps(run)] == ["expired"]


@in_virtual_time
async def test_outputs_do_not_put_the_deadline_off():
    async with a_world() as world:
        world.model.will(calling("a"))
        run = await world.create_run()
        await world.rested(run)
        await world.pass_time(500.0)
        gate = world.model.will_stop_at_a_gate()
        await world.submit(run, a="1")
        await gate.reached.wait()
        await world.pass_time(101.0)
        assert await world.status(run) == "expired"


@in_virtual_time
async def test_no_model_is_called_for_a_run_that_expired_while_nobody_was_up():
    async with a_world(nodes=0) as world:
        run = await world.create_run()
        await world.pass_time(700.0)
        world.add_node()
        await world.bus.offer(run.id)
        await world.pass_time(2.0)
        assert await world.status(run) == "expired"
        assert world.model.requests == []
        assert await world.told(run) == ["run.created", "run.queued", "run.expired"]


@in_virtual_time
async def test_a_run_whose_worker_died_meets_its_deadline_with_its_stream_closed():
    async with a_world() as world:
        gate = world.model.will_stop_at_a_gate([words("Hel")])
        run = await world.create_run()
        await gate.reached.wait()
        await world.nodes[0].die()
        await world.pass_time(700.0)
        world.add_node()
        await world.pass_time(2.0)
        assert await world.status(run) == "expired"
        assert (await world.told(run))[-3:] == ["message.incomplete", "run.step.failed", "run.expired"]
        assert len(world.model.requests) == 1


@in_virtual_time
async def test_a_cancellation_goes_before_a_deadline_that_passed_meanwhile():
    async with a_world() as world:
        gate = world.model.will_stop_at_a_gate()
        run = await world.create_run()
        await gate.reached.wait()
        await world.nodes[0].die()
        await world.cancel(run)
        await world.pass_time(700.0)
        world.add_node()
        await world.pass_time(2.0)
        assert await world.status(run) == "cancelled"


@in_virtual_time
async def test_a_cancellation_takes_nothing_back_that_the_worker_stored_meanwhile():
    async with a_world() as world:
        world.seats_on = world.nodes[0]
        first, second = (world.model.will_stop_at_a_gate(then=then) for then in (calling("a", name="nope"), HELLO))
        run = await world.create_run()
        await first.reached.wait()
        line = cast("Line", world.journal._store)
        slow = line.slow = asyncio.Event()
        cancelling = asyncio.create_task(world.cancel(run))
        await line.arrived.wait()
        # The client's request has read the run; now its worker stores a round.
        first.opened.set()
        await second.reached.wait()
        line.slow = None
        slow.set()
        await cancelling

        assert await world.rested(run) == "cancelled"
        record = await world.record(run)
        assert record.model_calls == 2
        assert record.run.usage == record.usage
        assert [step.status for step in await world.steps(run)] == ["completed"]


@in_virtual_time
async def test_a_cancellation_after_a_lost_answer_of_the_store_ends_the_run():
    async with a_world() as world:
        node = world.seats_on = world.nodes[0]
        gate = world.model.will_stop_at_a_gate(then=calling("a", name="nope"))
        run = await world.create_run()
        await gate.reached.wait()
        node.line.loses_answers = 1
        gate.opened.set()
        await world.settled()
        assert [step.status for step in await world.steps(run)] == ["completed"]
        await world.cancel(run)

        assert await world.rested(run) == "cancelled"
        assert [step.status for step in await world.steps(run)] == ["completed"]
        assert (await world.told(run))[-1] == "run.cancelled"
