"""Run steps as v1 writes them: a file search is a `retrieval`, and its results are not shown."""

from typing import Any, Literal, TypeAlias

from msgspec import Struct

from runstead.wire import run_steps as v2
from runstead.wire.base import AssistantId, Resource, RunId, StepId, ThreadId, Timestamp
from runstead.wire.run_steps import (
    CodeInterpreterToolCall,
    FunctionToolCall,
    MessageCreation,
    StepStatus,
    StepType,
)
from runstead.wire.runs import Usage
from runstead.wire.v1.base import recast
from runstead.wire.v1.runs import LastError, view_error


class RetrievalToolCall(Struct, frozen=True, kw_only=True, tag_field="type", tag="retrieval"):
    """API: the object is always there, and empty."""

    id: str
    retrieval: dict[str, Any] = {}


ToolCall: TypeAlias = FunctionToolCall | CodeInterpreterToolCall | RetrievalToolCall


class ToolCalls(Struct, frozen=True, tag_field="type", tag="tool_calls"):
    tool_calls: list[ToolCall]


StepDetails: TypeAlias = MessageCreation | ToolCalls


class RunStep(Resource, frozen=True, kw_only=True):
    id: StepId
    object: Literal["thread.run.step"]
    created_at: Timestamp
    assistant_id: AssistantId
    thread_id: ThreadId
    run_id: RunId
    type: StepType
    status: StepStatus
    step_details: StepDetails
    last_error: LastError | None
    expires_at: Timestamp | None
    expired_at: Timestamp | None
    cancelled_at: Timestamp | None
    failed_at: Timestamp | None
    completed_at: Timestamp | None
    metadata: dict[str, str]
    usage: Usage | None


def view(step: v2.RunStep) -> RunStep:
    return recast(step, RunStep, step_details=_view_details(step.step_details), last_error=view_error(step.last_error))


def _view_details(details: v2.StepDetails) -> StepDetails:
    if isinstance(details, v2.ToolCalls):
        return ToolCalls([_view_call(call) for call in details.tool_calls])
    return details


def _view_call(call: v2.ToolCall) -> ToolCall:
    return RetrievalToolCall(id=call.id) if isinstance(call, v2.FileSearchToolCall) else call
