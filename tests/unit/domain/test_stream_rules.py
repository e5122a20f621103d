"""The checker itself: that it lets the reference's sequences through and stops what a client would stop at."""

import json
from typing import cast

import pytest

from runstead.wire.events import EventName, StreamEvent
from tests.unit.domain.stream_rules import BrokenStream, StreamRules


def run(status):
    return {"status": status, "required_action": {} if status == "requires_action" else None}


def step(id, status="in_progress", **fields):
    details = {"type": "tool_calls", "tool_calls": []}
    return {"id": id, "type": "tool_calls", "status": status, "step_details": details, f"{status}_at": 1} | fields


def message(id, status="in_progress", *content):
    parts = [{"type": "text", "text": {"value": words, "annotations": []}} for words in content]
    return {"id": id, "status": status, "content": parts}


def delta(id, words, index=0):
    return {"id": id, "delta": {"content": [{"index": index, "type": "text", "text": {"value": words}}]}}


def calls(step_id, **call):
    return {"id": step_id, "delta": {"step_details": {"type": "tool_calls", "tool_calls": [{"index": 0, **call}]}}}


CREATED = [("run.created", run("queued")), ("run.queued", run("queued")), ("run.in_progress", run("in_progress"))]
MESSAGE = [("message.created", message("m")), ("message.in_progress", message("m"))]
STEP = [("run.step.created", step("s")), ("run.step.in_progress", step("s"))]


def read(*said):
    events = [
        StreamEvent(1, i, cast("EventName", f"thread.{name}"), json.dumps(data).encode())
        for i, (name, data) in enumerate(said)
    ]
    return StreamRules().read(events)


def test_a_plain_run_goes_through():
    said = [*CREATED, *MESSAGE, ("message.delta", delta("m", "He")), ("message.delta", delta("m", "y"))]
    seen = read(*said, ("message.completed", message("m", "completed", "Hey")), ("run.completed", run("completed")))
    assert seen.run == run("completed")


def test_a_run_that_waits_goes_through_and_goes_on():
    opening = calls("s", id="call_1", type="function", function={"name": "f", "arguments": "", "output": None})
    said = [*CREATED, *STEP, ("run.step.delta", opening), ("run.requires_action", run("requires_action"))]
    done = step("s", "completed")
    done["step_details"] = {
        "type": "tool_calls",
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}],
    }
    read(*said, ("run.step.completed", done), ("run.queued", run("queued")))


@pytest.mark.parametrize(
    "said",
    [
        [*CREATED, ("run.created", run("queued"))],
        [*CREATED, ("run.completed", run("completed")), ("run.failed", run("failed"))],
        [*CREATED, ("run.completed", run("failed"))],
        [*CREATED, *MESSAGE, ("run.completed", run("completed"))],
        [*CREATED, *STEP, ("run.completed", run("completed"))],
        [*CREATED, *MESSAGE, ("message.created", message("n"))],
        [("message.delta", delta("m", "x"))],
        [*MESSAGE, ("message.delta", delta("m", "x", index=1))],
        [*MESSAGE, ("message.delta", delta("m", "x")), ("message.completed", message("m", "completed", "y"))],
        [*MESSAGE, ("message.completed", message("m", "completed")), ("message.created", message("m"))],
        [("run.step.delta", calls("s", id="call_1"))],
        [*STEP, ("run.step.delta", calls("s", function={"name": "f"}))],
        [*STEP, ("run.step.failed", step("s", "failed")), ("run.step.cancelled", step("s", "cancelled"))],
    ],
)
def test_what_would_throw_in_a_client_is_stopped(said):
    with pytest.raises(BrokenStream):
        read(*said)


def test_places_must_rise():
    event = StreamEvent(1, 0, "thread.run.queued", json.dumps(run("queued")).encode())
    with pytest.raises(BrokenStream):
        StreamRules().read([event, event])
