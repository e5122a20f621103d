"""Stream events as v1 writes them.

Text goes through byte for byte: a delta is read only if it names what v1 clients cannot read.
"""

from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from runstead.wire import events as v2
from runstead.wire import messages, run_steps, runs, threads
from runstead.wire.base import StepId
from runstead.wire.events import CodeInterpreterDelta, EventName, FunctionCallDelta, TextDelta, TextPiece
from runstead.wire.v1.base import recast
from runstead.wire.v1.messages import view as view_message
from runstead.wire.v1.run_steps import view as view_step
from runstead.wire.v1.runs import view as view_run
from runstead.wire.v1.threads import view as view_thread


class RetrievalDelta(Struct, frozen=True, kw_only=True, tag_field="type", tag="retrieval"):
    """A retrieval call; its object is always there, and empty."""

    index: int
    id: str | UnsetType = UNSET
    retrieval: dict[str, Any] = {}


class ToolCallsDelta(Struct, frozen=True, tag_field="type", tag="tool_calls"):
    tool_calls: list[FunctionCallDelta | CodeInterpreterDelta | RetrievalDelta]


class StepDeltaBody(Struct, frozen=True):
    step_details: ToolCallsDelta


class RunStepDelta(Struct, frozen=True, kw_only=True):
    id: StepId
    object: Literal["thread.run.step.delta"]
    delta: StepDeltaBody


def view_event(name: EventName, data: bytes) -> tuple[EventName, bytes]:
    """An event's name and JSON as v1 clients know them."""
    rule = _RULES.get(name)
    if rule is None:
        return name, data
    unless_in, decoder, view = rule
    if unless_in not in data:
        return name, data
    # Clients of v1 do not know this event, and raise on a name they do not know.
    shown: EventName = "thread.run.failed" if name == "thread.run.incomplete" else name
    return shown, _encoder.encode(view(decoder.decode(data)))


def _view_message_delta(delta: v2.MessageDelta) -> v2.MessageDelta:
    parts: list[TextDelta | v2.ImageFileDelta | v2.RefusalDelta] = [
        TextDelta(part.index, TextPiece(part.refusal, [])) if isinstance(part, v2.RefusalDelta) else part
        for part in delta.delta.content
    ]
    return recast(delta, v2.MessageDelta, delta=v2.MessageDeltaBody(parts, delta.delta.role))


def _view_step_delta(delta: v2.RunStepDelta) -> RunStepDelta:
    calls = [
        RetrievalDelta(index=call.index, id=call.id) if isinstance(call, v2.FileSearchDelta) else call
        for call in delta.delta.step_details.tool_calls
    ]
    return recast(delta, RunStepDelta, delta=StepDeltaBody(ToolCallsDelta(calls)))


_encoder = msgspec.json.Encoder()

_Rule = tuple[bytes, msgspec.json.Decoder[Any], Callable[[Any], Struct]]
"""The event is left alone unless its JSON has these bytes; how it is read; how it is shown."""


def _rules() -> dict[EventName, _Rule]:
    run: _Rule = b"", msgspec.json.Decoder(runs.Run), view_run
    step: _Rule = b"", msgspec.json.Decoder(run_steps.RunStep), view_step
    message: _Rule = b"", msgspec.json.Decoder(messages.Message), view_message
    return {
        "thread.created": (b"", msgspec.json.Decoder(threads.Thread), view_thread),
        "thread.run.created": run,
        "thread.run.queued": run,
        "thread.run.in_progress": run,
        "thread.run.requires_action": run,
        "thread.run.completed": run,
        "thread.run.incomplete": run,
        "thread.run.failed": run,
        "thread.run.cancelling": run,
        "thread.run.cancelled": run,
        "thread.run.expired": run,
        "thread.run.step.created": step,
        "thread.run.step.in_progress": step,
        # Inside a JSON string the quotes would be escaped, so these bytes are a key or a type.
        "thread.run.step.delta": (b'"file_search"', msgspec.json.Decoder(v2.RunStepDelta), _view_step_delta),
        "thread.run.step.completed": step,
        "thread.run.step.failed": step,
        "thread.run.step.cancelled": step,
        "thread.run.step.expired": step,
        "thread.message.created": message,
        "thread.message.in_progress": message,
        "thread.message.delta": (b'"refusal"', msgspec.json.Decoder(v2.MessageDelta), _view_message_delta),
        "thread.message.completed": message,
        "thread.message.incomplete": message,
    }


_RULES = _rules()
