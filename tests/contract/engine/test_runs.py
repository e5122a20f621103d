"""A run's life on one node and on several: what is stored, what is told, and that it is done once."""

import pytest

from runstead.domain.errors import ModelFailed, ThreadHasActiveRun, WrongOutputs
from runstead.wire.runs import Usage
from tests.contract.engine.virtual_time import in_virtual_time
from tests.contract.engine.world import HELLO, a_world, calling
from tests.unit.domain.making import counted, words
from tests.unit.domain.stream_rules import StreamRules

CREATED = ["run.created", "run.queued", "run.in_progress"]
MESSAGE = ["run.step.created", "run.step.in_progress", "message.created", "message.in_progress"]
MESSAGE_DONE = ["message.completed", "run.step.completed"]
CALLS = ["run.step.created", "run.step.in_progress"]


def without_deltas(names: list[str]) -> list[str]:
    return [name for name in names if not name.endswith(".delta")]


@in_virtual_time
async def test_a_plain_run():
    async with a_world() as world:
        world.model.will([*HELLO, [counted(7, 3)]])
        run = await world.create_run()

        assert await world.rested(run) == "completed"

        assert without_deltas(await world.told(run)) == [*CREATED, *MESSAGE, *MESSAGE_DONE, "run.completed"]
        (message,), (step,) = await world.messages(run), await world.steps(run)
        assert message.content[0].text.value == "Hello"
        record = await world.record(run)
        assert record.run.usage == step.usage == Usage(7, 3, 10)
        assert (record.owner, record.lease_until, record.model_calls) == (None, None, 1)
        assert not world.nodes[0].worker.drivers


@in_virtual_time
async def test_a_run_claimed_in_its_insert_tells_the_same():
    async with a_world() as world:
        world.seats_on = world.nodes[0]
        run = await world.create_run()
        assert await world.rested(run) == "completed"
        assert without_deltas(await world.told(run)) == [*CREATED, *MESSAGE, *MESSAGE_DONE, "run.completed"]


@in_virtual_time
async def test_several_rounds():
    async with a_world() as world:
        world.model.will(calling("a", "b"), calling("c"))
        run = await world.create_run()

        assert await world.rested(run) == "requires_action"
        with pytest.raises(WrongOutputs):
            await world.submit(run, a="1")
        await world.submit(run, b="2", a="1")
        assert await world.rested(run) == "requires_action"
        await world.submit(run, c="3")
        assert await world.rested(run) == "completed"

        round_ = [*CALLS, "run.requires_action", "run.step.completed", "run.queued", "run.in_progress"]
        assert without_deltas(await world.told(run)) == [
            *CREATED,
            *round_,
            *round_,
            *MESSAGE,
            *MESSAGE_DONE,
            "run.completed",
        ]
        assert len(world.model.requests) == 3
        assert [m.role for m in world.model.requests[-1].messages] == ["assistant", "tool", "tool", "assistant", "tool"]
        assert (await world.record(run)).model_calls == 3


@in_virtual_time
async def test_a_tool_that_does_not_exist_costs_a_round_and_not_the_run():
    async with a_world() as world:
        world.model.will(calling("a", name="nope"))
        run = await world.create_run()
        assert await world.rested(run) == "completed"
        assert [step.type for step in await world.steps(run)] == ["tool_calls", "message_creation"]
        await world.told(run)


@in_virtual_time
async def test_a_model_that_never_stops_calling_meets_the_limit():
    async with a_world() as world:
        world.model.will(*[calling("a", name="nope") for _ in range(20)])
        run = await world.create_run()
        assert await world.rested(run) == "failed"
        assert "RUNSTEAD_MAX_MODEL_CALLS" in (await world.record(run)).run.last_error.message
        assert len(world.model.requests) == 8


@in_virtual_time
async def test_a_failure_of_the_model_ends_the_run_and_frees_the_thread():
    async with a_world() as world:
        world.model.will([[words("Hel")], ModelFailed("rate_limit_exceeded", "slow down")])
        run = await world.create_run()
        assert await world.rested(run) == "failed"
        assert (await world.record(run)).run.last_error.code == "rate_limit_exceeded"
        (message,) = await world.messages(run)
        assert (message.status, message.content[0].text.value) == ("incomplete", "Hel")
        assert (await world.told(run))[-3:] == ["message.incomplete", "run.step.failed", "run.failed"]
        assert await world.rested(await world.create_run(run.thread_id)) == "completed"


@in_virtual_time
async def test_a_driver_that_breaks_ends_its_run_and_frees_the_thread():
    async with a_world() as world:
        world.model.will([[words("Hel")], RuntimeError("a bug")])
        run = await world.create_run()
        assert await world.rested(run) == "failed"
        assert "internal error" in (await world.record(run)).run.last_error.message
        assert (await world.told(run))[-1] == "run.failed"
        assert not world.nodes[0].worker.drivers
        assert await world.rested(await world.create_run(run.thread_id)) == "completed"


@in_virtual_time
async def test_one_run_at_a_time_on_a_thread():
    async with a_world() as world:
        gate = world.model.will_stop_at_a_gate()
        run = await world.create_run()
        with pytest.raises(ThreadHasActiveRun):
            await world.create_run(run.thread_id)
        gate.opened.set()
        await world.rested(run)
        assert await world.rested(await world.create_run(run.thread_id)) == "completed"


@in_virtual_time
async def test_what_two_workers_are_offered_is_claimed_once():
    async with a_world(nodes=3) as world:
        made = [await world.create_run() for _ in range(20)]
        for run in made:
            # Offers may come twice, and to everybody.
            await world.bus.offer(run.id)
            await world.bus.offer(run.id)
        for run in made:
            assert await world.rested(run) == "completed"
            assert (await world.record(run)).epoch == 2
        assert len(world.model.requests) == 20


@in_virtual_time
async def test_a_full_node_takes_the_next_run_when_one_ends():
    async with a_world(capacity=2) as world:
        gates = [world.model.will_stop_at_a_gate() for _ in range(4)]
        made = [await world.create_run() for _ in range(4)]
        await world.settled()
        assert [await world.status(run) for run in made] == ["in_progress"] * 2 + ["queued"] * 2
        assert world.nodes[0].worker.take_seat() is None
        for gate in gates:
            gate.opened.set()
        for run in made:
            assert await world.rested(run) == "completed"


@in_virtual_time
async def test_lost_offers_cost_a_reconcilers_round():
    async with a_world() as world:
        world.bus.loses_offers = True
        run = await world.create_run()
        await world.pass_time(1.0)
        assert await world.status(run) == "queued"
        assert await world.rested(run, within=4.0) == "completed"


@in_virtual_time
async def test_two_hundred_runs_at_once():
    async with a_world(nodes=2, capacity=120) as world:
        gates = [world.model.will_stop_at_a_gate([words("Hi")]) for _ in range(200)]
        made = [await world.create_run() for _ in range(200)]
        for gate in gates:
            await gate.reached.wait()
        assert sum(len(node.worker.drivers) for node in world.nodes) == 200
        await world.pass_time(20.0)
        for gate in gates:
            gate.opened.set()
        for run in made:
            assert await world.rested(run) == "completed"
            record = await world.record(run)
            assert (record.epoch, record.model_calls) == (2, 1)
            await world.told(run)


@in_virtual_time
async def test_every_reader_sees_the_same():
    async with a_world() as world:
        gate = world.model.will_stop_at_a_gate([words("Hel")], then=[[words("lo")], [words(finish="stop")]])
        run = await world.create_run()
        await gate.reached.wait()
        async with world.bus.tail(run.id, (0, 0)) as first, world.bus.tail(run.id, (1, 0)) as second:
            gate.opened.set()
            await world.rested(run)
            seen = list(await first.next(1.0))
            assert seen[1:] == list(await second.next(1.0))
        assert seen == await world.events(run)
        assert StreamRules().read(seen).status == "completed"


@in_virtual_time
async def test_an_expired_budget_ends_the_run_before_the_model_is_asked():
    async with a_world() as world:
        world.model.will([[words("x" * 4_000)], [words(finish="stop"), counted(7, 300)]])
        run = await world.create_run(max_completion_tokens=256)
        await world.rested(run)
        record = await world.record(run)
        assert world.model.requests[0].max_completion_tokens == 256
        assert record.run.status == "completed"

        world.model.will([*calling("a", name="nope"), [counted(7, 300)]])
        again = await world.create_run(max_completion_tokens=256)
        assert await world.rested(again) == "incomplete"
        assert (await world.record(again)).run.incomplete_details.reason == "max_completion_tokens"
        assert (await world.told(again))[-1] == "run.incomplete"


@in_virtual_time
async def test_a_budget_that_the_prompt_exceeds_ends_the_run():
    async with a_world() as world:
        run = await world.create_run(max_prompt_tokens=256, instructions="word " * 2_000)
        assert await world.rested(run) == "incomplete"
        assert (await world.record(run)).run.incomplete_details.reason == "max_prompt_tokens"
        assert world.model.requests == []
