"""Stream events as v1 clients see them."""

import json
from typing import get_args

import msgspec
import pytest

from runstead.wire import v1
from runstead.wire.base import MessageId, StepId, ThreadId
from runstead.wire.events import (
    EventName,
    FileSearchDelta,
    FunctionCallDelta,
    FunctionPiece,
    MessageDelta,
    MessageDeltaBody,
    RefusalDelta,
    RunStepDelta,
    StepDeltaBody,
    TextDelta,
    TextPiece,
    ToolCallsDelta,
)
from runstead.wire.messages import Message
from runstead.wire.run_steps import RunStep
from runstead.wire.runs import Run
from runstead.wire.threads import Thread

IDS = {"created_at": 1700000000, "thread_id": "thread_1", "assistant_id": "asst_1", "run_id": "run_1"}
THREAD = Thread(id=ThreadId("thread_1"), created_at=1700000000)
RUN = msgspec.convert(
    {
        **IDS,
        "id": "run_1",
        "status": "incomplete",
        "incomplete_details": {"reason": "max_prompt_tokens"},
        "completed_at": 1700000001,
        "model": "m",
        "instructions": "",
        "tools": [{"type": "file_search"}],
    },
    Run,
)
STEP = msgspec.convert(
    {
        **IDS,
        "id": "step_1",
        "type": "tool_calls",
        "status": "completed",
        "step_details": {"type": "tool_calls", "tool_calls": [{"type": "file_search", "id": "call_1"}]},
    },
    RunStep,
)
MESSAGE = msgspec.convert(
    {**IDS, "id": "msg_1", "role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}, Message
)


def message_delta(*parts):
    return msgspec.json.encode(MessageDelta(id=MessageId("msg_1"), delta=MessageDeltaBody(list(parts))))


def step_delta(*calls):
    return msgspec.json.encode(RunStepDelta(id=StepId("step_1"), delta=StepDeltaBody(ToolCallsDelta(list(calls)))))


def payload_of(name):
    if name == "thread.created":
        return THREAD
    if name.startswith("thread.run.step."):
        return STEP
    return RUN if name.startswith("thread.run.") else MESSAGE


WHOLE = [name for name in get_args(EventName) if not name.endswith(".delta") and name not in {"error", "done"}]


@pytest.mark.parametrize("name", WHOLE)
def test_every_event_with_an_object_shows_its_v1_view(name):
    payload = payload_of(name)

    shown, data = v1.view_event(name, msgspec.json.encode(payload))

    assert shown == ("thread.run.failed" if name == "thread.run.incomplete" else name)
    assert data == msgspec.json.encode(v1.view(payload))


@pytest.mark.parametrize(("name", "data"), [("done", b"[DONE]"), ("error", b'{"message":"x"}')])
def test_the_ends_of_a_stream_are_left_alone(name, data):
    assert v1.view_event(name, data) == (name, data)


@pytest.mark.parametrize(
    "words", ["Hello", 'the "refusal" key', '{"type":"refusal"}', "\\", "日本", '"refusal":', "", "\n"]
)
def test_text_goes_through_byte_for_byte(words):
    data = message_delta(TextDelta(0, TextPiece(words, [])))

    assert v1.view_event("thread.message.delta", data) == ("thread.message.delta", data)


def test_a_refusal_s_words_arrive_as_text():
    data = message_delta(RefusalDelta(0, "I won't"), TextDelta(1, TextPiece("x")))

    name, shown = v1.view_event("thread.message.delta", data)

    assert name == "thread.message.delta"
    assert json.loads(shown) == {
        "id": "msg_1",
        "object": "thread.message.delta",
        "delta": {
            "content": [
                {"type": "text", "index": 0, "text": {"value": "I won't", "annotations": []}},
                {"type": "text", "index": 1, "text": {"value": "x"}},
            ]
        },
    }


def test_a_function_call_goes_through_byte_for_byte():
    piece = FunctionPiece(name="file_search", arguments='{"file_search": 1}', output=None)
    data = step_delta(FunctionCallDelta(index=0, id="call_1", function=FunctionPiece(arguments=piece.arguments)))

    assert v1.view_event("thread.run.step.delta", data) == ("thread.run.step.delta", data)


def test_a_function_named_like_a_tool_stays_a_function():
    call = FunctionCallDelta(index=0, id="call_1", function=FunctionPiece(name="file_search", arguments=""))

    _, shown = v1.view_event("thread.run.step.delta", step_delta(call))

    assert json.loads(shown) == json.loads(step_delta(call))


def test_a_file_search_arrives_as_a_retrieval():
    _, shown = v1.view_event("thread.run.step.delta", step_delta(FileSearchDelta(index=0, id="call_1")))

    assert json.loads(shown) == {
        "id": "step_1",
        "object": "thread.run.step.delta",
        "delta": {
            "step_details": {
                "type": "tool_calls",
                "tool_calls": [{"type": "retrieval", "index": 0, "id": "call_1", "retrieval": {}}],
            }
        },
    }
