"""What a reader of a dead worker's stream is told, so that its picture stays whole.

The open step and message of the dead epoch are closed in the stream only. Stored steps are not touched: a step
that waits for the client is open in the rows as well.
"""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from runstead.domain import speech
from runstead.domain.records import StepRecord
from runstead.domain.speech import Said
from runstead.wire.events import ImageFileDelta, IndexedAnnotation, MessageDelta, RefusalDelta, StreamEvent, TextDelta
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
from runstead.wire.run_steps import RunStep
from runstead.wire.runs import LastError, Run

LOST = LastError("server_error", "The server that wrote this was lost; it is written again.")


def closings(history: Iterable[StreamEvent], stored: Iterable[StepRecord], *, now: int) -> list[Said]:
    """The events that close whatever the history leaves open and the rows do not."""
    messages: dict[str, Message] = {}
    steps: dict[str, RunStep] = {}
    said_in: dict[str, dict[int, _Part]] = {}
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
            case (
                "thread.run.step.completed"
                | "thread.run.step.failed"
                | "thread.run.step.cancelled"
                | "thread.run.step.expired"
            ):
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
        is_so = kept.get(step.id) or replace(step, status="failed", last_error=LOST, failed_at=now)
        if is_so.status != "in_progress":
            said.append(speech.of_step(is_so))
    return said


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
