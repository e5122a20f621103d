"""What a reader of a dead worker's stream is told, so that its picture stays whole.

The open step and message of the dead epoch are closed in the stream only. Stored steps are not touched: a step
that waits for the client is open in the rows as well.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from runstead.domain import speech, unleased
from runstead.domain.records import RunRecord, StepRecord
from runstead.domain.speech import Said
from runstead.wire.events import (
    CodeInterpreterDelta,
    ImageFileDelta,
    IndexedAnnotation,
    MessageDelta,
    RefusalDelta,
    RunStepDelta,
    StreamEvent,
    TextDelta,
)
from runstead.wire.messages import (
    Annotation,
    ContentPart,
    FileCitationAnnotation,
    FilePathAnnotation,
    ImageFileContent,
    IncompleteDetails,
    Message,
    RefusalContent,
    Text,
    TextContent,
)
from runstead.wire.run_steps import RunStep, ToolCalls
from runstead.wire.runs import LastError, Run

STEP_ENDS = frozenset(f"thread.run.step.{end}" for end in ("completed", "failed", "cancelled", "expired"))
LOST = LastError("server_error", "The server that wrote this was lost; it is written again.")


def closings(history: Iterable[StreamEvent], stored: Iterable[StepRecord], *, now: int) -> list[Said]:
    """The events that close whatever the history leaves open and the rows do not."""
    messages: dict[str, Message] = {}
    steps: dict[str, RunStep] = {}
    said_in: dict[str, dict[int, _Part]] = {}
    shown: set[tuple[str, int]] = set()
    for event in history:
        match event.name:
            case "thread.message.created":
                message = msgspec.json.decode(event.data, type=Message)
                messages[message.id] = message
            case "thread.message.delta":
                delta = msgspec.json.decode(event.data, type=MessageDelta)
                parts = said_in.setdefault(delta.id, {})
                for piece in delta.delta.content:
                    parts.setdefault(piece.index, _Part()).take(piece)
            case "thread.message.completed" | "thread.message.incomplete":
                messages.pop(_id(event), None)
            case "thread.run.step.created":
                step = msgspec.json.decode(event.data, type=RunStep)
                steps[step.id] = step
            case "thread.run.step.delta":
                shown.update(_shown_outputs(msgspec.json.decode(event.data, type=RunStepDelta)))
            case name if name in STEP_ENDS:
                steps.pop(_id(event), None)
            case _:
                pass
    said: list[Said] = []
    for message in messages.values():
        cut = replace(
            message,
            status="incomplete",
            content=[part.content() for _, part in sorted(said_in.get(message.id, {}).items())],
            incomplete_details=IncompleteDetails("run_failed"),
            incomplete_at=now,
        )
        said.append(("thread.message.incomplete", cut))
    kept = {record.step.id: record.step for record in stored}
    for step in steps.values():
        # A step that was stored just before its worker died is shown as it is stored.
        if (stored_step := kept.get(step.id)) is not None:
            said += _untold_outputs(stored_step, shown)
        is_so = stored_step or replace(step, status="failed", last_error=LOST, failed_at=now)
        if is_so.status != "in_progress":
            said.append(speech.of_step(is_so))
    return said


def _shown_outputs(delta: RunStepDelta) -> Iterator[tuple[str, int]]:
    for call in delta.delta.step_details.tool_calls:
        if isinstance(call, CodeInterpreterDelta) and call.code_interpreter.outputs:
            yield delta.id, call.index


def _untold_outputs(step: RunStep, shown: set[tuple[str, int]]) -> Iterator[Said]:
    """What code has put out, as far as whoever stored it did not live to say so: clients add a step up from pieces."""
    if isinstance(step.step_details, ToolCalls):
        for index, call in enumerate(step.step_details.tool_calls):
            if (step.id, index) not in shown:
                yield from speech.of_outputs(step.id, index, call)


def unheard(history: Sequence[StreamEvent], record: RunRecord, stored: Sequence[StepRecord]) -> tuple[StreamEvent, ...]:
    """What was said when outputs were taken in, if nobody can have heard it and nothing was stored since."""
    if not history or history[-1].epoch >= record.requeued:
        return ()
    open_steps = {_id(event) for event in history if event.name == "thread.run.step.created"}
    open_steps.difference_update(_id(event) for event in history if event.name in STEP_ENDS)
    return unleased.taken_in(record, stored) if stored and stored[-1].step.id in open_steps else ()


def status(history: Sequence[StreamEvent], run: Run) -> list[Said]:
    """The event that shows the run's status, unless it is the one that the history showed last."""
    said = speech.of_run(run)
    last = next((event.name for event in reversed(history) if event.name in speech.RUN_EVENTS), None)
    return [] if said[0] == last else [said]


class _Part:
    """A part of a message, put together from its pieces."""

    def __init__(self) -> None:
        self._last: TextDelta | ImageFileDelta | RefusalDelta | None = None
        self._words: list[str] = []
        self._annotations: list[Annotation] = []

    def take(self, piece: TextDelta | ImageFileDelta | RefusalDelta) -> None:
        self._last = piece
        match piece:
            case TextDelta(text=text):
                self._words.append(text.value or "")
                self._annotations += map(_plain, text.annotations or ())
            case RefusalDelta(refusal=words):
                self._words.append(words)
            case ImageFileDelta():
                pass

    def content(self) -> ContentPart:
        match self._last:
            case ImageFileDelta(image_file=image):
                return ImageFileContent(image)
            case RefusalDelta():
                return RefusalContent("".join(self._words))
            case _:
                return TextContent(Text("".join(self._words), self._annotations))


def _plain(said: IndexedAnnotation) -> Annotation:
    """An annotation as a message has it."""
    if said.file_citation:
        return FileCitationAnnotation(
            text=said.text, start_index=said.start_index, end_index=said.end_index, file_citation=said.file_citation
        )
    assert said.file_path
    return FilePathAnnotation(
        text=said.text, start_index=said.start_index, end_index=said.end_index, file_path=said.file_path
    )


class _Named(msgspec.Struct):
    id: str


def _id(event: StreamEvent) -> str:
    return msgspec.json.decode(event.data, type=_Named).id
