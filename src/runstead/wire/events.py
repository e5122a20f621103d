"""Stream events: their names, and the deltas that only exist in streams.

What exists once a token is hidden from the garbage collector (`gc=False`): no cycle can run through it.
"""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from runstead.wire.base import MessageId, StepId
from runstead.wire.messages import FileCitation, FilePath, ImageFile
from runstead.wire.run_steps import OutputImage

EventName = Literal[
    "thread.created",
    "thread.run.created",
    "thread.run.queued",
    "thread.run.in_progress",
    "thread.run.requires_action",
    "thread.run.completed",
    "thread.run.incomplete",
    "thread.run.failed",
    "thread.run.cancelling",
    "thread.run.cancelled",
    "thread.run.expired",
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.run.step.delta",
    "thread.run.step.completed",
    "thread.run.step.failed",
    "thread.run.step.cancelled",
    "thread.run.step.expired",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
    "thread.message.completed",
    "thread.message.incomplete",
    "error",
    "done",
]

LAST_EVENTS = frozenset(
    {
        "thread.run.requires_action",
        "thread.run.completed",
        "thread.run.incomplete",
        "thread.run.failed",
        "thread.run.cancelled",
        "thread.run.expired",
    }
)
"""A stream ends after one of these (and then says done)."""


class StreamEvent(Struct, frozen=True, gc=False):
    """One event of a run's stream: `(epoch, seq)` rises, `data` is its JSON in the v2 shape."""

    epoch: int
    seq: int
    name: EventName
    data: bytes


class TextPiece(Struct, frozen=True, gc=False):
    """A piece of text: clients concatenate `value` and collect each annotation once."""

    value: str | UnsetType = UNSET
    annotations: list["IndexedAnnotation"] | UnsetType = UNSET


class IndexedAnnotation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An annotation with its place in the list."""

    index: int
    type: str
    text: str
    start_index: int
    end_index: int
    file_citation: FileCitation | UnsetType = UNSET
    file_path: FilePath | UnsetType = UNSET


class TextDelta(Struct, frozen=True, gc=False, tag_field="type", tag="text"):
    """A text part that grows."""

    index: int
    text: TextPiece


class ImageFileDelta(Struct, frozen=True, tag_field="type", tag="image_file"):
    """An image part that appears."""

    index: int
    image_file: ImageFile


class RefusalDelta(Struct, frozen=True, tag_field="type", tag="refusal"):
    """A refusal that grows."""

    index: int
    refusal: str


class MessageDeltaBody(Struct, frozen=True, gc=False):
    """The changed parts of a message."""

    content: list[TextDelta | ImageFileDelta | RefusalDelta]
    role: Literal["assistant"] | UnsetType = UNSET


class MessageDelta(Struct, frozen=True, gc=False, kw_only=True):
    """thread.message.delta."""

    id: MessageId
    object: Literal["thread.message.delta"] = "thread.message.delta"
    delta: MessageDeltaBody


class FunctionPiece(Struct, frozen=True):
    """First the name with empty arguments and a null output, then pieces of arguments only."""

    name: str | UnsetType = UNSET
    arguments: str | UnsetType = UNSET
    output: str | None | UnsetType = UNSET


class FunctionCallDelta(Struct, frozen=True, kw_only=True, tag_field="type", tag="function"):
    """A function call that grows; the id comes once, with the first piece."""

    index: int
    id: str | UnsetType = UNSET
    function: FunctionPiece


class IndexedLogs(Struct, frozen=True, tag_field="type", tag="logs"):
    """Logs with their place in the outputs."""

    index: int
    logs: str


class IndexedImage(Struct, frozen=True, tag_field="type", tag="image"):
    """An image with its place in the outputs."""

    index: int
    image: OutputImage


class CodePiece(Struct, frozen=True):
    """A piece of code, then its outputs."""

    input: str | UnsetType = UNSET
    outputs: list[IndexedLogs | IndexedImage] | UnsetType = UNSET


class CodeInterpreterDelta(Struct, frozen=True, kw_only=True, tag_field="type", tag="code_interpreter"):
    """A code interpreter call that grows."""

    index: int
    id: str | UnsetType = UNSET
    code_interpreter: CodePiece


class FileSearchDelta(Struct, frozen=True, kw_only=True, tag_field="type", tag="file_search"):
    """A file search call; its object is always there, and empty."""

    index: int
    id: str | UnsetType = UNSET
    file_search: dict[str, Any] = {}


class ToolCallsDelta(Struct, frozen=True, tag_field="type", tag="tool_calls"):
    """The calls that changed."""

    tool_calls: list[FunctionCallDelta | CodeInterpreterDelta | FileSearchDelta]


class StepDeltaBody(Struct, frozen=True):
    """The changed details of a step."""

    step_details: ToolCallsDelta


class RunStepDelta(Struct, frozen=True, kw_only=True):
    """thread.run.step.delta."""

    id: StepId
    object: Literal["thread.run.step.delta"] = "thread.run.step.delta"
    delta: StepDeltaBody
