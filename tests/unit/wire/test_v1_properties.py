"""Whatever an object holds, its v1 view stays within v1's closed sets."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runstead.wire import v1
from runstead.wire.assistants import Assistant
from runstead.wire.events import MessageDelta, RunStepDelta
from runstead.wire.messages import Message
from runstead.wire.run_steps import RunStep
from runstead.wire.runs import Run
from runstead.wire.threads import Thread
from tests.unit.wire.strategies import some

STATUSES = {"queued", "in_progress", "requires_action", "cancelling", "cancelled", "failed", "completed", "expired"}
ERROR_CODES = {"server_error", "rate_limit_exceeded"}
TOOLS = {"code_interpreter", "retrieval", "function"}
NEVER_NULL = {"id", "object", "created_at", "thread_id", "status", "model", "instructions", "tools", "file_ids"}


def view(answer):
    """The view's JSON, which its own closed types can read back."""
    shown = v1.view(answer)
    raw = msgspec.json.encode(shown)
    assert msgspec.json.decode(raw, type=type(shown)) == shown
    return json.loads(raw)


def check_error(error):
    assert error is None or error["code"] in ERROR_CODES


def check_tools(tools):
    assert {tool["type"] for tool in tools} <= TOOLS
    assert all(len(tool) == (2 if tool["type"] == "function" else 1) for tool in tools)


def check_format(format):
    assert format in ("none", "auto") or format["type"] in {"text", "json_object"}


@settings(deadline=None)
@given(some(Run))
def test_a_run_is_one_that_v1_can_read(run):
    shown = view(run)

    assert shown["status"] in STATUSES
    assert all(shown[field] is not None for field in NEVER_NULL)
    check_error(shown["last_error"])
    check_tools(shown["tools"])
    check_format(shown["response_format"])
    choice = shown["tool_choice"]
    assert choice in ("none", "auto") or choice["type"] in TOOLS
    assert "tool_resources" not in shown
    if run.status == "incomplete":
        assert shown["status"] == "failed"
        assert shown["last_error"] is not None


@settings(deadline=None)
@given(some(Assistant))
def test_an_assistant_is_one_that_v1_can_read(assistant):
    shown = view(assistant)

    assert isinstance(shown["file_ids"], list)
    assert "tool_resources" not in shown
    assert "reasoning_effort" not in shown
    check_tools(shown["tools"])
    check_format(shown["response_format"])


@settings(deadline=None)
@given(some(Thread))
def test_a_thread_is_one_that_v1_can_read(thread):
    assert set(view(thread)) == {"id", "object", "created_at", "metadata"}


@settings(deadline=None)
@given(some(Message))
def test_a_message_is_one_that_v1_can_read(message):
    shown = view(message)

    assert {part["type"] for part in shown["content"]} <= {"text", "image_file"}
    assert bool(shown["content"]) == bool(message.content)
    assert isinstance(shown["file_ids"], list)
    for part in shown["content"]:
        for annotation in part.get("text", {}).get("annotations", []):
            assert annotation["type"] in {"file_citation", "file_path"}
            assert "quote" in annotation.get("file_citation", {"quote": ""})


@settings(deadline=None)
@given(some(RunStep))
def test_a_step_is_one_that_v1_can_read(step):
    shown = view(step)

    check_error(shown["last_error"])
    for call in shown["step_details"].get("tool_calls", []):
        assert call["type"] in TOOLS
        # Old clients tell calls apart by the one key that bears their type.
        assert set(call) == {"id", "type", call["type"]}


@pytest.mark.parametrize(
    ("name", "kind"), [("thread.message.delta", MessageDelta), ("thread.run.step.delta", RunStepDelta)]
)
@settings(deadline=None)
@given(data=st.data())
def test_a_delta_is_one_that_v1_can_read(name, kind, data):
    delta = data.draw(some(kind))

    shown_name, raw = v1.view_event(name, msgspec.json.encode(delta))

    shown = json.loads(raw)["delta"]
    items = shown["content"] if kind is MessageDelta else shown["step_details"]["tool_calls"]
    assert shown_name == name
    assert {item["type"] for item in items} <= {"text", "image_file", *TOOLS}
