"""Runs as v1 writes them. Its clients have closed enums: no `incomplete` status, two error codes."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from runstead.wire import runs as v2
from runstead.wire.assistants import Temperature, TopP
from runstead.wire.base import AssistantId, LongText, Metadata, Resource, RunId, ThreadId, Timestamp
from runstead.wire.runs import RequiredAction, RunIncompleteDetails, TokenBudget, TruncationStrategy, Usage
from runstead.wire.v1.base import V1Body, recast
from runstead.wire.v1.messages import CreateMessage, canonical_messages
from runstead.wire.v1.threads import CreateThread
from runstead.wire.v1.tools import (
    ResponseFormat,
    Tool,
    ToolChoice,
    Tools,
    canonical_choice,
    canonical_format,
    canonical_tools,
    view_choice,
    view_format,
    view_resources,
    view_tools,
)

RunStatus = Literal[
    "queued",
    "in_progress",
    "requires_action",
    "cancelling",
    "cancelled",
    "failed",
    "completed",
    "expired",
]
ErrorCode = Literal["server_error", "rate_limit_exceeded"]


class LastError(Struct, frozen=True):
    """Why a run or a step failed."""

    code: ErrorCode
    message: str


class Run(Resource, frozen=True, kw_only=True):
    """The oldest clients need file_ids and instructions, never null; later fields do not disturb them."""

    id: RunId
    object: Literal["thread.run"]
    created_at: Timestamp
    thread_id: ThreadId
    assistant_id: AssistantId
    status: RunStatus
    required_action: RequiredAction | None
    last_error: LastError | None
    expires_at: Timestamp | None
    started_at: Timestamp | None
    cancelled_at: Timestamp | None
    failed_at: Timestamp | None
    completed_at: Timestamp | None
    incomplete_details: RunIncompleteDetails | None
    model: str
    instructions: str
    tools: list[Tool]
    file_ids: list[str]
    metadata: dict[str, str]
    usage: Usage | None
    temperature: float | None
    top_p: float | None
    max_prompt_tokens: int | None
    max_completion_tokens: int | None
    truncation_strategy: TruncationStrategy
    tool_choice: ToolChoice
    parallel_tool_calls: bool
    response_format: ResponseFormat


class RunOptions(V1Body, frozen=True, kw_only=True):
    """What createRun and createThreadAndRun have in common, late v1's options included."""

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
    response_format: ResponseFormat | None = None

    def _common(self) -> dict[str, object]:
        return {
            "tools": canonical_tools(self.tools),
            "tool_choice": canonical_choice(self.tool_choice),
            "response_format": canonical_format(self.response_format),
            "parallel_tool_calls": None,
            "reasoning_effort": None,
        }


class CreateRun(RunOptions, frozen=True, kw_only=True):
    additional_instructions: LongText | None = None
    additional_messages: Annotated[list[CreateMessage], Meta(max_length=100)] | None = None

    def canonical(self) -> v2.CreateRun:
        messages = canonical_messages(self.additional_messages)
        return recast(self, v2.CreateRun, **self._common(), additional_messages=messages)


class CreateThreadAndRun(RunOptions, frozen=True, kw_only=True):
    thread: CreateThread | None = None

    def canonical(self) -> v2.CreateThreadAndRun:
        thread = self.thread and self.thread.canonical()
        return recast(self, v2.CreateThreadAndRun, **self._common(), thread=thread, tool_resources=None)


def view(run: v2.Run) -> Run:
    is_incomplete = run.status == "incomplete"
    return recast(
        run,
        Run,
        status=view_status(run.status),
        failed_at=run.failed_at or run.completed_at if is_incomplete else run.failed_at,
        completed_at=None if is_incomplete else run.completed_at,
        last_error=LastError("server_error", _limit_met(run)) if is_incomplete else view_error(run.last_error),
        tools=view_tools(run.tools),
        file_ids=view_resources(run.tool_resources),
        tool_choice=view_choice(run.tool_choice),
        response_format=view_format(run.response_format),
    )


def view_status(status: v2.RunStatus) -> RunStatus:
    """Old clients cannot read `incomplete`, and their pollers would wait for another end for ever."""
    return "failed" if status == "incomplete" else status


def view_error(error: v2.LastError | None) -> LastError | None:
    if error is None:
        return None
    return LastError("rate_limit_exceeded" if error.code == "rate_limit_exceeded" else "server_error", error.message)


def _limit_met(run: v2.Run) -> str:
    match run.incomplete_details:
        case RunIncompleteDetails(reason="max_completion_tokens") if run.max_completion_tokens is None:
            return "The run is incomplete: its answer reached the model's own limit of tokens."
        case RunIncompleteDetails(reason="max_completion_tokens"):
            return f"The run is incomplete: it reached max_completion_tokens ({run.max_completion_tokens})."
        case RunIncompleteDetails(reason="max_prompt_tokens"):
            return f"The run is incomplete: it reached max_prompt_tokens ({run.max_prompt_tokens})."
        case RunIncompleteDetails(reason=reason):
            return f"The run is incomplete: its answer was cut short ({reason})."
        case None:
            return "The run is incomplete."
