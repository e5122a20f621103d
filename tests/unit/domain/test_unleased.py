"""What happens to a run that no worker holds: outputs, cancellation, deadline."""

from itertools import permutations
from typing import get_args

import msgspec
import pytest
from msgspec.structs import replace

from runstead.domain import speech, unleased
from runstead.domain.change import Change, OwnerSignal, ReplaceRun, ReplaceStep, TakeRun
from runstead.domain.errors import InvalidRequest, NotAwaitingOutputs, NotCancellable, WrongOutputs
from runstead.domain.run_lifecycle import NEXT
from runstead.wire.run_steps import FunctionToolCall, RunStep
from runstead.wire.runs import Run, RunStatus, SubmitToolOutputs, ToolOutput, Usage
from tests.unit.domain.making import NOW, a_record, call, message_step, required_action, said_by, stored, tool_step

STATUSES: tuple[RunStatus, ...] = get_args(RunStatus)
LATER = NOW + 50.5
OPEN = stored(tool_step("step_2", [call("call_a"), call("call_b")], status="in_progress"))
STEPS = [
    stored(tool_step("step_0", [call("call_0", "0")])),
    stored(message_step("step_1", "msg_1")),
    OPEN,
]
WAITING = a_record("requires_action", epoch=3, run={"required_action": required_action("call_a", "call_b")})


def outputs(**given: str | None) -> SubmitToolOutputs:
    return SubmitToolOutputs(tool_outputs=[ToolOutput(id, output) for id, output in given.items()])


def run_of(change: Change) -> Run:
    return next(write.record.run for write in change.writes if isinstance(write, ReplaceRun | TakeRun))


def steps_of(change: Change) -> list[RunStep]:
    return [write.record.step for write in change.writes if isinstance(write, ReplaceStep)]


def names(change: Change) -> list[str]:
    return [event.name for event in change.events]


def places(change: Change) -> list[tuple[int, int]]:
    return [(event.epoch, event.seq) for event in change.events]


# Outputs


@pytest.mark.parametrize("order", list(permutations(["call_a", "call_b"])))
def test_outputs_may_come_in_any_order(order):
    change = unleased.submit(WAITING, STEPS, outputs(**{id: f"for {id}" for id in order}), now=LATER)

    (step,) = steps_of(change)
    said = {c.id: c.function.output for c in step.step_details.tool_calls if isinstance(c, FunctionToolCall)}
    assert said == {"call_a": "for call_a", "call_b": "for call_b"}
    assert (step.id, step.status, step.completed_at, step.usage) == ("step_2", "completed", 1_050, Usage(3, 2, 5))


def test_outputs_queue_the_run_one_epoch_later_and_the_old_step_is_told_first():
    change = unleased.submit(WAITING, STEPS, outputs(call_a="1", call_b="2"), now=LATER)

    (write,) = [write for write in change.writes if isinstance(write, ReplaceRun)]
    assert write.was == WAITING
    assert (write.record.epoch, write.record.run.status, write.record.run.required_action) == (4, "queued", None)
    assert write.record.run.expires_at == WAITING.run.expires_at
    assert names(change) == ["thread.run.step.completed", "thread.run.queued"]
    assert places(change) == [(4, 0), (4, 1)]
    assert change.offers == (WAITING.run.id,)


def test_an_output_that_is_null_is_empty():
    change = unleased.submit(WAITING, STEPS, outputs(call_a=None, call_b="2"), now=LATER)
    assert steps_of(change)[0].step_details.tool_calls[0].function.output == ""


def test_a_call_that_was_answered_here_keeps_its_answer():
    told = stored(tool_step("step_2", [call("call_x", "no such tool"), call("call_a")], status="in_progress"))
    waiting = replace(WAITING, run=replace(WAITING.run, required_action=required_action("call_a")))
    (step,) = steps_of(unleased.submit(waiting, [told], outputs(call_a="1"), now=LATER))
    assert [c.function.output for c in step.step_details.tool_calls] == ["no such tool", "1"]


@pytest.mark.parametrize(
    "given",
    [
        [],
        ["call_a"],
        ["call_b"],
        ["call_a", "call_b", "call_c"],
        ["call_a", "call_c"],
        ["call_a", "call_a"],
        ["call_a", "call_b", "call_b"],
        [""],
    ],
)
def test_outputs_for_other_calls_are_refused_in_the_original_words(given):
    body = SubmitToolOutputs(tool_outputs=[ToolOutput(id, "x") for id in given])
    with pytest.raises(WrongOutputs) as refusal:
        unleased.submit(WAITING, STEPS, body, now=LATER)
    assert refusal.value.message == f"Expected tool outputs for call_ids ['call_a', 'call_b'], got {given}"


def test_an_output_without_an_id_is_refused_where_it_stands():
    body = SubmitToolOutputs(tool_outputs=[ToolOutput("call_a", "1"), ToolOutput(None, "2")])
    with pytest.raises(InvalidRequest) as refusal:
        unleased.submit(WAITING, STEPS, body, now=LATER)
    assert refusal.value.param == "tool_outputs[1].tool_call_id"


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "requires_action"])
def test_a_run_that_waits_for_nothing_takes_no_outputs(status):
    with pytest.raises(NotAwaitingOutputs) as refusal:
        unleased.submit(a_record(status), STEPS, outputs(call_a="1", call_b="2"), now=LATER)
    assert refusal.value.message == f'Runs in status "{status}" do not accept tool outputs.'


# Cancellation


@pytest.mark.parametrize("status", [s for s in STATUSES if s not in NEXT or s == "cancelling"])
def test_a_run_that_ended_or_ends_is_not_cancelled(status):
    with pytest.raises(NotCancellable) as refusal:
        unleased.cancel(a_record(status), [], now=LATER)
    assert refusal.value.message == f"Cannot cancel run with status '{status}'."


def test_a_run_that_somebody_executes_is_only_asked():
    record = a_record("in_progress")
    change = unleased.cancel(record, STEPS[:2], now=LATER)
    assert run_of(change).status == "cancelling"
    assert (change.events, change.offers) == ((), ())
    assert change.signals == (OwnerSignal(record.run.id, "w1"),)
    assert change.writes == (TakeRun(replace(record, run=run_of(change)), was=record),)


def test_a_run_that_was_handed_back_is_offered_to_be_stopped():
    record = a_record("in_progress", owner=None, lease_until=0.0, claimed_at=None)
    change = unleased.cancel(record, [], now=LATER)
    assert run_of(change).status == "cancelling"
    assert (change.offers, change.signals) == ((record.run.id,), ())


def test_a_queued_run_is_cancelled_at_once():
    change = unleased.cancel(a_record("queued"), [], now=LATER)
    run = run_of(change)
    assert (run.status, run.cancelled_at, run.expires_at) == ("cancelled", 1_050, None)
    assert names(change) == ["thread.run.cancelling", "thread.run.cancelled"]
    assert places(change) == [(2, 0), (2, 1)]
    assert (change.offers, change.signals) == ((), ())


def test_a_waiting_run_is_cancelled_with_its_open_step():
    change = unleased.cancel(WAITING, STEPS, now=LATER)
    (step,) = steps_of(change)
    assert (step.id, step.status, step.cancelled_at, step.usage) == ("step_2", "cancelled", 1_050, Usage(3, 2, 5))
    assert run_of(change).status == "cancelled"
    assert names(change) == ["thread.run.cancelling", "thread.run.step.cancelled", "thread.run.cancelled"]
    assert places(change) == [(4, 0), (4, 1), (4, 2)]


def test_only_a_run_that_requires_action_shows_one():
    for status in ("queued", "requires_action"):
        change = unleased.cancel(a_record(status), STEPS if status == "requires_action" else [], now=LATER)
        for event in change.events:
            if event.name in speech.RUN_EVENTS:
                assert msgspec.json.decode(event.data, type=Run).required_action is None


# The deadline


@pytest.mark.parametrize("status", ["queued", "in_progress", "requires_action"])
def test_a_run_that_nobody_holds_expires_with_what_is_open(status):
    record = a_record(status, epoch=5)
    steps = STEPS if status == "requires_action" else STEPS[:2]
    change = unleased.expire(record, steps, [], now=LATER + 1_000)

    run = run_of(change)
    assert (run.status, run.expires_at, run.required_action) == ("expired", record.deadline, None)
    assert isinstance(change.writes[0], TakeRun)
    assert [(step.status, step.expired_at) for step in steps_of(change)] == (
        [("expired", 2_050)] if status == "requires_action" else []
    )
    assert names(change)[-1] == "thread.run.expired"
    assert {event.epoch for event in change.events} == {6}


def test_what_a_dead_worker_left_open_is_closed_before_the_end_is_told():
    closing = speech.of_message(said_by("run_1", "msg_9", status="incomplete"))
    change = unleased.expire(a_record("in_progress"), [], [closing], now=LATER)
    assert names(change) == ["thread.message.incomplete", "thread.run.expired"]
