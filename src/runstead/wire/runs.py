"""Runs: an execution on a thread, the bodies that start, answer and change one."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from runstead.wire.assistants import ReasoningEffort, Temperature, TopP
from runstead.wire.base import AssistantId, Body, LongText, Metadata, Resource, RunId, ThreadId, Timestamp
from runstead.wire.messages import CreateMessage
from runstead.wire.threads import CreateThread
from runstead.wire.tool_resources import ResourcesChange
from runstead.wire.tools import ResponseFormat, Tool, ToolChoice, ToolResources, Tools

RunStatus = Literal[
    "queued",
    "in_progress",
    "requires_action",
    "cancelling",
    "cancelled",
    "failed",
    "completed",
    "incomplete",
    "expired",
]
ErrorCode = Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]
RunIncompleteReason = Literal["max_completion_tokens", "max_prompt_tokens", "content_filter"]


MAX_COUNT = 2**31 - 1
"""Counts of tokens and messages: clients in Rust read them as u32, and the stores as integers."""


class FunctionCall(Struct, frozen=True):
    """A function the model wants called; `arguments` is a string, JSON if the model managed."""

    name: str
    arguments: str


class RequiredToolCall(Struct, frozen=True, kw_only=True):
    """One call that the client has to answer."""

    id: str
    type: Literal["function"] = "function"
    function: FunctionCall


class SubmitToolOutputsAction(Struct, frozen=True):
    """The calls whose outputs a run waits for."""

    tool_calls: list[RequiredToolCall]


class RequiredAction(Struct, frozen=True, kw_only=True):
    """What a run needs before it goes on."""

    type: Literal["submit_tool_outputs"] = "submit_tool_outputs"
    submit_tool_outputs: SubmitToolOutputsAction


class LastError(Struct, frozen=True):
    """Why a run or a step failed."""

    code: ErrorCode
    message: str


class RunIncompleteDetails(Struct, frozen=True):
    """Which budget ended a run."""

    reason: RunIncompleteReason


class Usage(Struct, frozen=True):
    """Tokens, summed over the model calls they stand for."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.total_tokens + other.total_tokens,
        )


class TruncationStrategy(Struct, frozen=True, forbid_unknown_fields=True):
    """Which messages a run is shown; `last_messages` goes with its own type only."""

    type: Literal["auto", "last_messages"]
    last_messages: Annotated[int, Meta(ge=1, le=MAX_COUNT)] | None = None

    def __post_init__(self) -> None:
        if self.type == "last_messages" and self.last_messages is None:
            raise ValueError("missing:last_messages")


class Run(Resource, frozen=True, kw_only=True):
    """An execution on a thread, resolved when it was created."""

    id: RunId
    object: Literal["thread.run"] = "thread.run"
    created_at: Timestamp
    thread_id: ThreadId
    assistant_id: AssistantId
    status: RunStatus
    required_action: RequiredAction | None = None
    last_error: LastError | None = None
    expires_at: Timestamp | None = None
    started_at: Timestamp | None = None
    cancelled_at: Timestamp | None = None
    failed_at: Timestamp | None = None
    completed_at: Timestamp | None = None
    incomplete_details: RunIncompleteDetails | None = None
    model: str
    instructions: str
    tools: list[Tool] = []
    metadata: dict[str, str] = {}
    usage: Usage | None = None
    temperature: float | None = 1.0
    top_p: float | None = 1.0
    max_prompt_tokens: int | None = None
    max_completion_tokens: int | None = None
    truncation_strategy: TruncationStrategy = TruncationStrategy("auto")
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool = True
    response_format: ResponseFormat = "auto"
    tool_resources: ToolResources = ToolResources()


TokenBudget = Annotated[int, Meta(ge=256, le=MAX_COUNT)]


class RunOptions(Body, frozen=True, kw_only=True):
    """What createRun and createThreadAndRun have in common."""

    assistant_id: str
    model: str | None = None
    instructions: LongText | None = None
    tools: Tools | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    stream: bool | None = None
    max_prompt_tokens: TokenBudget | None = None
    max_completion_tokens: TokenBudget | None = None
    truncation_strategy: TruncationStrategy | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: ReasoningEffort | None = None


class CreateRun(RunOptions, frozen=True, kw_only=True):
    """POST /threads/{id}/runs."""

    additional_instructions: LongText | None = None
    additional_messages: Annotated[list[CreateMessage], Meta(max_length=100)] | None = None


class CreateThreadAndRun(RunOptions, frozen=True, kw_only=True):
    """POST /threads/runs."""

    thread: CreateThread | None = None
    tool_resources: ResourcesChange | None = None


class ModifyRun(Body, frozen=True, kw_only=True):
    """POST /threads/{id}/runs/{id}."""

    metadata: Metadata | None | UnsetType = UNSET


class ToolOutput(Struct, frozen=True, forbid_unknown_fields=True):
    """The answer to one call."""

    tool_call_id: str | None = None
    output: str | None = None


class SubmitToolOutputs(Body, frozen=True, kw_only=True):
    """POST …/submit_tool_outputs: all outputs in one request."""

    tool_outputs: list[ToolOutput]
    stream: bool | None = None
