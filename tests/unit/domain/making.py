"""Values the domain's tests begin with: a run in any status, an assistant, messages, steps, chunks."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from runstead.domain.records import RunRecord, StepRecord
from runstead.wire.assistants import Assistant
from runstead.wire.base import AssistantId, MessageId, RunId, StepId, ThreadId
from runstead.wire.chat import ChatChunk, ChunkChoice, ChunkDelta, ChunkFunction, ChunkToolCall, ChunkUsage
from runstead.wire.messages import Message, Text, TextContent
from runstead.wire.run_steps import (
    CalledFunction,
    CreatedMessage,
    FunctionToolCall,
    MessageCreation,
    RunStep,
    StepStatus,
    ToolCall,
    ToolCalls,
)
from runstead.wire.runs import (
    FunctionCall,
    RequiredAction,
    RequiredToolCall,
    Run,
    RunStatus,
    SubmitToolOutputsAction,
    Usage,
)
from runstead.wire.tools import FunctionDefinition, FunctionTool

NOW = 1_000
DEADLINE = 1_600
THREAD = ThreadId("thread_1")
ASSISTANT = AssistantId("asst_1")


def function_tool(name: str) -> FunctionTool:
    return FunctionTool(FunctionDefinition(name=name))


def assistant(**fields: Any) -> Assistant:
    given: dict[str, Any] = {"id": ASSISTANT, "created_at": NOW, "model": "m"}
    return Assistant(**(given | fields))


def a_run(status: RunStatus = "in_progress", **fields: Any) -> Run:
    run = Run(
        id=RunId("run_1"),
        created_at=NOW,
        thread_id=THREAD,
        assistant_id=ASSISTANT,
        status=status,
        expires_at=DEADLINE,
        model="m",
        instructions="",
    )
    if status == "requires_action":
        run = replace(run, required_action=required_action("call_a", "call_b"))
    return replace(run, **fields)


def required_action(*ids: str) -> RequiredAction:
    calls = [RequiredToolCall(id=id, function=FunctionCall("f", "{}")) for id in ids]
    return RequiredAction(submit_tool_outputs=SubmitToolOutputsAction(calls))


def a_record(status: RunStatus = "in_progress", *, run: dict[str, Any] | None = None, **fields: Any) -> RunRecord:
    """A run as the store would have it in that status: leased while somebody executes it."""
    leased: dict[str, Any] = {}
    if status in ("in_progress", "cancelling"):
        leased = {"epoch": 2, "owner": "w1", "claimed_at": float(NOW), "lease_until": NOW + 6.0}
    return replace(RunRecord(run=a_run(status, **(run or {})), deadline=DEADLINE), **(leased | fields))


def message(id: str, words: str = "", **fields: Any) -> Message:
    given: dict[str, Any] = {
        "role": "user",
        "content": [TextContent(Text(words or id))],
        "created_at": NOW,
        "thread_id": THREAD,
    }
    return Message(id=MessageId(id), **(given | fields))


def said_by(run_id: str, id: str, words: str = "", **fields: Any) -> Message:
    return message(id, words, role="assistant", run_id=RunId(run_id), **fields)


def call(id: str, output: str | None = None, name: str = "f", arguments: str = "{}") -> FunctionToolCall:
    return FunctionToolCall(id=id, function=CalledFunction(name, arguments, output))


def tool_step(id: str, calls: Sequence[ToolCall], status: StepStatus = "completed", **fields: Any) -> RunStep:
    return _step(id, "tool_calls", status, ToolCalls(list(calls)), **fields)


def message_step(id: str, message_id: str, status: StepStatus = "completed", **fields: Any) -> RunStep:
    return _step(id, "message_creation", status, MessageCreation(CreatedMessage(MessageId(message_id))), **fields)


def _step(id: str, type: Any, status: StepStatus, details: Any, **fields: Any) -> RunStep:
    given: dict[str, Any] = {
        "created_at": NOW,
        "assistant_id": ASSISTANT,
        "thread_id": THREAD,
        "run_id": RunId("run_1"),
    }
    return RunStep(id=StepId(id), type=type, status=status, step_details=details, **(given | fields))


def stored(step: RunStep, **fields: Any) -> StepRecord:
    given: dict[str, Any] = {"model_call": 1, "call_usage": Usage(3, 2, 5)}
    return StepRecord(step=step, **(given | fields))


def words(text: str | None = None, *, refusal: str | None = None, finish: str | None = None) -> ChatChunk:
    return ChatChunk([ChunkChoice(ChunkDelta(text, refusal), finish)])


def pieces(*calls: ChunkToolCall, finish: str | None = None) -> ChatChunk:
    return ChatChunk([ChunkChoice(ChunkDelta(tool_calls=list(calls)), finish)])


def piece(
    name: str | None = None, arguments: Any = None, *, index: int | None = None, id: str | None = None
) -> ChunkToolCall:
    return ChunkToolCall(index, id, ChunkFunction(name, arguments))


def counted(prompt: int = 7, completion: int = 3) -> ChatChunk:
    return ChatChunk([], ChunkUsage(prompt, completion, prompt + completion))
