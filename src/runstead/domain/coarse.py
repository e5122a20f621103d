"""A run's stream rebuilt from rows, when its events are kept no more: whole steps instead of pieces.

It begins where every stream begins, so a reader's picture is right at its end whatever it had seen before.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from runstead.domain import speech
from runstead.domain.call_pieces import CallDelta
from runstead.domain.speech import Said
from runstead.wire.base import MessageId
from runstead.wire.events import (
    CodeInterpreterDelta,
    CodePiece,
    FileSearchDelta,
    FunctionCallDelta,
    FunctionPiece,
    ImageFileDelta,
    MessageDelta,
    MessageDeltaBody,
    RefusalDelta,
    RunStepDelta,
    StepDeltaBody,
    TextDelta,
    TextPiece,
    ToolCallsDelta,
)
from runstead.wire.messages import ContentPart, ImageFileContent, Message, RefusalContent, TextContent
from runstead.wire.run_steps import (
    CodeInterpreterToolCall,
    FileSearchToolCall,
    FunctionToolCall,
    MessageCreation,
    RunStep,
    ToolCall,
    ToolCalls,
)
from runstead.wire.runs import Run


def rebuilt(run: Run, steps: Sequence[RunStep], messages: Mapping[MessageId, Message]) -> list[Said]:
    """The events that lead to what is stored; the run's own last event comes only when it rests."""
    queued = replace(run, status="queued", started_at=None, required_action=None)
    said: list[Said] = [("thread.run.created", queued), ("thread.run.queued", queued)]
    if run.started_at is not None:
        said.append(("thread.run.in_progress", replace(queued, status="in_progress", started_at=run.started_at)))
    for step in steps:
        said += _step(step, messages)
    if run.status not in ("queued", "in_progress"):
        said.append(speech.of_run(run))
    return said


def _step(step: RunStep, messages: Mapping[MessageId, Message]) -> list[Said]:
    details = step.step_details
    is_message = isinstance(details, MessageCreation)
    opened = replace(
        step,
        status="in_progress",
        step_details=details if is_message else ToolCalls([]),
        last_error=None,
        expired_at=None,
        cancelled_at=None,
        failed_at=None,
        completed_at=None,
        usage=None,
    )
    said: list[Said] = [("thread.run.step.created", opened), ("thread.run.step.in_progress", opened)]
    if isinstance(details, MessageCreation):
        message = messages.get(details.message_creation.message_id)
        said += [] if message is None else _message(message)
    else:
        said += _calls(step, details)
    return said if step.status == "in_progress" else [*said, speech.of_step(step)]


def _message(message: Message) -> Iterable[Said]:
    opened = replace(
        message, status="in_progress", content=[], incomplete_details=None, completed_at=None, incomplete_at=None
    )
    yield "thread.message.created", opened
    yield "thread.message.in_progress", opened
    for index, part in enumerate(message.content):
        delta = _part(index, part)
        if delta is not None:
            yield "thread.message.delta", MessageDelta(id=message.id, delta=MessageDeltaBody([delta]))
    yield speech.of_message(message)


def _part(index: int, part: ContentPart) -> TextDelta | ImageFileDelta | RefusalDelta | None:
    match part:
        case TextContent(text=text):
            return TextDelta(index, TextPiece(text.value, speech.indexed(text.annotations)))
        case RefusalContent(refusal=words):
            return RefusalDelta(index, words)
        case ImageFileContent(image_file=image):
            return ImageFileDelta(index, image)
        case _:
            return None


def _calls(step: RunStep, details: ToolCalls) -> Iterable[Said]:
    for index, call in enumerate(details.tool_calls):
        delta = RunStepDelta(id=step.id, delta=StepDeltaBody(ToolCallsDelta([_begun(index, call)])))
        yield "thread.run.step.delta", delta
        yield from speech.of_outputs(step.id, index, call)


def _begun(index: int, call: ToolCall) -> CallDelta:
    match call:
        case FunctionToolCall(function=function):
            # The output is left to the step's last event: pieces of it never travel.
            piece = FunctionPiece(name=function.name, arguments=function.arguments, output=None)
            return FunctionCallDelta(index=index, id=call.id, function=piece)
        case CodeInterpreterToolCall(code_interpreter=code):
            return CodeInterpreterDelta(index=index, id=call.id, code_interpreter=CodePiece(code.input, []))
        case FileSearchToolCall():
            return FileSearchDelta(index=index, id=call.id)
