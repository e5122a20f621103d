"""A stream rebuilt from rows tells a client the same as the stream that was lost."""

import pytest

from runstead.domain import coarse, speech
from runstead.domain.run_lifecycle import end
from runstead.wire.messages import IncompleteDetails
from tests.unit.domain.making import NOW, a_record, a_run, call, message_step, said_by, tool_step
from tests.unit.domain.stream_rules import RUN_ENDS, StreamRules

MESSAGE = said_by("run_1", "msg_1", "Hello", completed_at=NOW)


def told(run, steps=(), messages=()):
    said = coarse.rebuilt(run, steps, {message.id: message for message in messages})
    return StreamRules().read(speech.numbered(said, epoch=2))


def ended(signal="finished"):
    record = a_record("cancelling" if signal == "stopped" else "in_progress", run={"started_at": NOW})
    return end(record, signal, now=NOW + 5.0).run


def test_a_plain_run_is_told_from_its_creation_to_its_end():
    picture = told(ended(), [message_step("step_1", "msg_1", completed_at=NOW)], [MESSAGE])
    assert picture.names == [
        "thread.run.created",
        "thread.run.queued",
        "thread.run.in_progress",
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.message.created",
        "thread.message.in_progress",
        "thread.message.delta",
        "thread.message.completed",
        "thread.run.step.completed",
        "thread.run.completed",
    ]
    assert picture.messages["msg_1"]["content"][0]["text"]["value"] == "Hello"


def test_a_step_that_waits_for_its_outputs_stays_open():
    step = tool_step("step_1", [call("call_a"), call("call_b")], "in_progress")
    picture = told(a_run("requires_action", started_at=NOW), [step])
    assert picture.names[-2:] == ["thread.run.step.delta", "thread.run.requires_action"]
    assert [each["id"] for each in picture.steps["step_1"]["step_details"]["tool_calls"]] == ["call_a", "call_b"]


def test_answered_calls_show_their_outputs_at_the_step_s_end():
    steps = [
        tool_step("step_1", [call("call_a", "sunny")], completed_at=NOW),
        message_step("step_2", "msg_1", completed_at=NOW),
    ]
    picture = told(ended(), steps, [MESSAGE])
    assert picture.steps["step_1"]["step_details"]["tool_calls"][0]["function"]["output"] == "sunny"


def test_a_message_that_was_cut_is_told_as_cut():
    cut = said_by("run_1", "msg_1", "Hel", status="incomplete", incomplete_details=IncompleteDetails("run_cancelled"))
    picture = told(ended("stopped"), [message_step("step_1", "msg_1", "cancelled", cancelled_at=NOW)], [cut])
    assert picture.names[-3:] == ["thread.message.incomplete", "thread.run.step.cancelled", "thread.run.cancelled"]


def test_a_message_that_was_deleted_meanwhile_is_left_out():
    picture = told(ended(), [message_step("step_1", "msg_1", completed_at=NOW)])
    assert picture.messages == {}
    assert picture.names[-1] == "thread.run.completed"


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_a_run_that_goes_on_is_not_told_as_ended(status):
    picture = told(a_run(status, started_at=NOW if status == "in_progress" else None))
    assert not RUN_ENDS & {name.removeprefix("thread.run.") for name in picture.names}
