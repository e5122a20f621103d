"""Outputs that somebody stored and did not live to announce, or announces late, reach a stream once, whoever is next."""

from typing import cast

import pytest
from msgspec.structs import replace

from runstead.bus.event_log import EventLog
from runstead.domain import run_lifecycle, speech, takeover, unleased
from runstead.domain.records import RunRecord, StepRecord
from runstead.domain.speech import Said
from runstead.wire.events import (
    FunctionCallDelta,
    FunctionPiece,
    RunStepDelta,
    StepDeltaBody,
    StreamEvent,
    ToolCallsDelta,
)
from runstead.wire.run_steps import ToolCalls
from runstead.wire.runs import SubmitToolOutputs, ToolOutput
from tests.unit.domain.making import NOW, a_record, call, required_action, stored, tool_step
from tests.unit.domain.stream_rules import StreamRules

OPEN = stored(tool_step("step_1", [call("call_a")], status="in_progress"))
WAITING = a_record("requires_action", epoch=2, run={"required_action": required_action("call_a")})
SUBMITTED = unleased.submit(WAITING, [OPEN], SubmitToolOutputs(tool_outputs=[ToolOutput("call_a", "1")]), now=NOW + 1)
QUEUED = cast("RunRecord", SUBMITTED.writes[0].record)
STORED = cast("StepRecord", SUBMITTED.writes[1].record)


def said_until_it_waits() -> list[StreamEvent]:
    begun = replace(OPEN.step, step_details=ToolCalls([]))
    asked = OPEN.step.step_details.tool_calls[0].function
    function = FunctionPiece(name=asked.name, arguments=asked.arguments, output=None)
    piece = FunctionCallDelta(index=0, id="call_a", function=function)
    delta = RunStepDelta(id=OPEN.step.id, delta=StepDeltaBody(ToolCallsDelta([piece])))
    said: list[Said] = [("thread.run.step.created", begun), ("thread.run.step.in_progress", begun)]
    said += [("thread.run.step.delta", delta), speech.of_run(WAITING.run)]
    return list(speech.numbered(said, epoch=2))


def claimed(record: RunRecord, owner: str) -> RunRecord:
    return run_lifecycle.claim(record, owner=owner, now=NOW + 2, lease_for=6.0)


def cancelled(history: list[StreamEvent]) -> tuple[StreamEvent, ...]:
    return unleased.cancel(QUEUED, [STORED], now=NOW + 3).events


def expired(history: list[StreamEvent]) -> tuple[StreamEvent, ...]:
    # It was claimed with the commit that queued it, and its worker said nothing.
    record = claimed(QUEUED, "w1")
    again = takeover.unheard(history, record, [STORED])
    closings = takeover.closings([*history, *again], [STORED], now=NOW + 3)
    return unleased.expire(record, [STORED], closings, again=again, now=NOW + 3).events


def taken_over(history: list[StreamEvent]) -> tuple[StreamEvent, ...]:
    record = claimed(claimed(QUEUED, "w1"), "w2")
    again = takeover.unheard(history, record, [STORED])
    said = takeover.closings([*history, *again], [STORED], now=NOW + 3)
    ended = run_lifecycle.end(record, "finished", now=NOW + 4)
    return again + speech.numbered([*said, speech.of_run(record.run), speech.of_run(ended.run)], epoch=record.epoch)


NEXT = pytest.mark.parametrize("next_one", [cancelled, expired, taken_over])


def read(*batches: tuple[StreamEvent, ...] | list[StreamEvent]) -> list[str]:
    """What a reader is sent, judged by the rules of clients."""
    log = EventLog(2**20)
    for batch in batches:
        log.append(batch)
    return StreamRules().read(log.events).names


@NEXT
def test_what_was_never_announced_is_told_by_the_next_one(next_one):
    history = said_until_it_waits()
    names = read(history, next_one(history))
    assert names.count("thread.run.step.completed") == 1
    assert names.index("thread.run.step.completed") < names.index("thread.run.queued")


@NEXT
def test_what_is_announced_while_the_next_one_decides_is_told_once(next_one):
    history = said_until_it_waits()
    assert read(history, SUBMITTED.events, next_one(history)) == read(history, next_one(history))


@NEXT
def test_what_is_announced_after_the_next_one_spoke_is_dropped(next_one):
    history = said_until_it_waits()
    assert read(history, next_one(history), SUBMITTED.events) == read(history, next_one(history))


def test_what_was_announced_in_time_is_not_told_again():
    history = [*said_until_it_waits(), *SUBMITTED.events]
    assert takeover.unheard(history, claimed(QUEUED, "w1"), [STORED]) == ()


def test_a_step_that_was_stored_later_is_not_taken_for_it():
    later = stored(tool_step("step_2", [call("call_b", "2")]))
    assert takeover.unheard(said_until_it_waits(), claimed(QUEUED, "w1"), [STORED, later]) == ()
