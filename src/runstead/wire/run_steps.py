"""Run steps: what a run did, one stored step a checkpoint."""

from typing import Literal

from msgspec import Struct

from runstead.wire.base import AssistantId, MessageId, Resource, RunId, StepId, ThreadId, Timestamp
from runstead.wire.runs import LastError, Usage

StepType = Literal["message_creation", "tool_calls"]
StepStatus = Literal["in_progress", "cancelled", "failed", "completed", "expired"]


class CreatedMessage(Struct, frozen=True):
    """The message a step wrote."""

    message_id: MessageId


class MessageCreation(Struct, frozen=True, tag_field="type", tag="message_creation"):
    """The step wrote a message."""

    message_creation: CreatedMessage


class CalledFunction(Struct, frozen=True):
    """A function call; `output` is null until the client submits it."""

    name: str
    arguments: str
    output: str | None = None


class FunctionToolCall(Struct, frozen=True, kw_only=True, tag_field="type", tag="function"):
    """A call of one of the client's functions."""

    id: str
    function: CalledFunction


class LogOutput(Struct, frozen=True, tag_field="type", tag="logs"):
    """What the code printed."""

    logs: str


class OutputImage(Struct, frozen=True):
    """The stored image."""

    file_id: str


class ImageOutput(Struct, frozen=True, tag_field="type", tag="image"):
    """An image that the code drew."""

    image: OutputImage


class CodeInterpreter(Struct, frozen=True):
    """The code and what came of it."""

    input: str
    outputs: list[LogOutput | ImageOutput] = []


class CodeInterpreterToolCall(Struct, frozen=True, kw_only=True, tag_field="type", tag="code_interpreter"):
    """A call of the code interpreter."""

    id: str
    code_interpreter: CodeInterpreter


class FileSearchRanking(Struct, frozen=True):
    """How the results were ranked."""

    ranker: str
    score_threshold: float


class FileSearchText(Struct, frozen=True, tag_field="type", tag="text"):
    """A piece of a found file."""

    text: str


class FileSearchResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One hit; its content is sent only to clients that ask for it."""

    file_id: str
    file_name: str
    score: float
    content: list[FileSearchText] | None = None


class FileSearch(Struct, frozen=True, omit_defaults=True):
    """A search and its hits."""

    ranking_options: FileSearchRanking | None = None
    results: list[FileSearchResult] | None = None


class FileSearchToolCall(Struct, frozen=True, kw_only=True, tag_field="type", tag="file_search"):
    """A call of file search."""

    id: str
    file_search: FileSearch = FileSearch()


ToolCall = FunctionToolCall | CodeInterpreterToolCall | FileSearchToolCall


class ToolCalls(Struct, frozen=True, tag_field="type", tag="tool_calls"):
    """The step called tools: all calls of one model turn."""

    tool_calls: list[ToolCall]


StepDetails = MessageCreation | ToolCalls


class RunStep(Resource, frozen=True, kw_only=True):
    """One thing a run did."""

    id: StepId
    object: Literal["thread.run.step"] = "thread.run.step"
    created_at: Timestamp
    assistant_id: AssistantId
    thread_id: ThreadId
    run_id: RunId
    type: StepType
    status: StepStatus
    step_details: StepDetails
    last_error: LastError | None = None
    # API: the schema says expired_at, every recording says expires_at (the run's deadline); clients read either.
    expires_at: Timestamp | None = None
    expired_at: Timestamp | None = None
    cancelled_at: Timestamp | None = None
    failed_at: Timestamp | None = None
    completed_at: Timestamp | None = None
    metadata: dict[str, str] = {}
    usage: Usage | None = None
