"""What is said on a run's stream: names with payloads, numbered when it is known under which epoch."""

from collections.abc import Iterable, Sequence
from typing import get_args

import msgspec
from msgspec import UNSET

from runstead.domain.errors import IllegalTransition
from runstead.wire.base import StepId
from runstead.wire.events import (
    CodeInterpreterDelta,
    CodePiece,
    EventName,
    IndexedAnnotation,
    IndexedImage,
    IndexedLogs,
    MessageDelta,
    RunStepDelta,
    StepDeltaBody,
    StreamEvent,
    ToolCallsDelta,
)
from runstead.wire.messages import Annotation, FileCitationAnnotation, Message
from runstead.wire.run_steps import CodeInterpreterToolCall, LogOutput, RunStep, ToolCall
from runstead.wire.runs import Run, RunStatus
from runstead.wire.threads import Thread

Said = tuple[EventName, Thread | Run | RunStep | Message | MessageDelta | RunStepDelta]

RUN_EVENTS: frozenset[str] = frozenset(f"thread.run.{status}" for status in get_args(RunStatus))
"""The events that show the run itself, rather than its steps and messages."""

_encode = msgspec.json.Encoder().encode

_RUN_EVENTS: dict[RunStatus, EventName] = {
    "queued": "thread.run.queued",
    "in_progress": "thread.run.in_progress",
    "requires_action": "thread.run.requires_action",
    "cancelling": "thread.run.cancelling",
    "cancelled": "thread.run.cancelled",
    "failed": "thread.run.failed",
    "completed": "thread.run.completed",
    "incomplete": "thread.run.incomplete",
    "expired": "thread.run.expired",
}
_STEP_EVENTS: dict[str, EventName] = {
    "in_progress": "thread.run.step.in_progress",
    "completed": "thread.run.step.completed",
    "failed": "thread.run.step.failed",
    "cancelled": "thread.run.step.cancelled",
    "expired": "thread.run.step.expired",
}
_MESSAGE_EVENTS: dict[str, EventName] = {
    "in_progress": "thread.message.in_progress",
    "completed": "thread.message.completed",
    "incomplete": "thread.message.incomplete",
}


def of_run(run: Run) -> Said:
    """The event that shows a run in its status."""
    return _RUN_EVENTS[run.status], run


def of_step(step: RunStep) -> Said:
    """The event that shows a step in its status."""
    return _STEP_EVENTS[step.status], step


def of_message(message: Message) -> Said:
    """The event that shows a message in its status."""
    return _MESSAGE_EVENTS[message.status], message


def of_outputs(step_id: StepId, index: int, call: ToolCall) -> list[Said]:
    """The event that shows what code has put out. API: of the other tools only the step's end shows it."""
    delta = outputs_delta(index, call) if isinstance(call, CodeInterpreterToolCall) else None
    if delta is None:
        return []
    return [("thread.run.step.delta", RunStepDelta(id=step_id, delta=StepDeltaBody(ToolCallsDelta([delta]))))]


def outputs_delta(index: int, call: CodeInterpreterToolCall) -> CodeInterpreterDelta | None:
    """The outputs of the call that has this place in its step; None if there are none."""
    outputs: list[IndexedLogs | IndexedImage] = [
        IndexedLogs(place, output.logs) if isinstance(output, LogOutput) else IndexedImage(place, output.image)
        for place, output in enumerate(call.code_interpreter.outputs)
    ]
    return CodeInterpreterDelta(index=index, code_interpreter=CodePiece(outputs=outputs)) if outputs else None


def indexed(annotations: Sequence[Annotation], first: int = 0) -> list[IndexedAnnotation]:
    """Annotations with their places in the list of their text; `first` is that of the first one."""
    return [_indexed(index, annotation) for index, annotation in enumerate(annotations, first)]


def _indexed(index: int, annotation: Annotation) -> IndexedAnnotation:
    return IndexedAnnotation(
        index=index,
        type="file_citation" if isinstance(annotation, FileCitationAnnotation) else "file_path",
        text=annotation.text,
        start_index=annotation.start_index,
        end_index=annotation.end_index,
        file_citation=annotation.file_citation if isinstance(annotation, FileCitationAnnotation) else UNSET,
        file_path=UNSET if isinstance(annotation, FileCitationAnnotation) else annotation.file_path,
    )


def numbered(said: Iterable[Said], *, epoch: int, first: int = 0) -> tuple[StreamEvent, ...]:
    """Events with their places: `first` is the sequence number of the first one."""
    if epoch < 1:
        raise IllegalTransition(f"epoch {epoch}", "numbered")
    return tuple([StreamEvent(epoch, seq, name, _encode(payload)) for seq, (name, payload) in enumerate(said, first)])
