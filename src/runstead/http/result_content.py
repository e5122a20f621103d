"""What file search has found is shown with its text only to those who ask for it. API: `include[]`."""

import msgspec
from msgspec.structs import replace

from runstead.wire.events import EventName
from runstead.wire.run_steps import FileSearchToolCall, RunStep, ToolCall, ToolCalls

# Every event that shows a step bears all of it; before its end a search has found nothing.
_WITH_RESULTS: frozenset[EventName] = frozenset(
    {
        "thread.run.step.completed",
        "thread.run.step.failed",
        "thread.run.step.cancelled",
        "thread.run.step.expired",
    }
)
_decoder = msgspec.json.Decoder(RunStep)
_encoder = msgspec.json.Encoder()


def without(step: RunStep) -> RunStep:
    """A step whose results are shown without their text."""
    details = step.step_details
    if not isinstance(details, ToolCalls) or not any(
        isinstance(call, FileSearchToolCall) for call in details.tool_calls
    ):
        return step
    return replace(step, step_details=ToolCalls([_without(call) for call in details.tool_calls]))


def _without(call: ToolCall) -> ToolCall:
    if not isinstance(call, FileSearchToolCall) or not call.file_search.results:
        return call
    results = [replace(result, content=None) for result in call.file_search.results]
    return replace(call, file_search=replace(call.file_search, results=results))


def view_event(name: EventName, data: bytes) -> tuple[EventName, bytes]:
    """An event for who did not ask."""
    # Inside a JSON string the quotes would be escaped, so these bytes are a key or a type.
    if name not in _WITH_RESULTS or b'"file_search"' not in data:
        return name, data
    return name, _encoder.encode(without(_decoder.decode(data)))
