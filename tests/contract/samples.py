"""Objects that tests store. Each is whole and ordinary; a test names only what it is about."""

import itertools
from typing import Any

from msgspec.structs import replace

from runstead.domain.change import Change, InsertRun, InsertThread, Write
from runstead.domain.records import RunRecord, StepRecord
from runstead.wire.assistants import Assistant
from runstead.wire.base import AssistantId, MessageId, RunId, StepId, ThreadId
from runstead.wire.messages import Message, Text, TextContent
from runstead.wire.run_steps import (
    CalledFunction,
    CreatedMessage,
    FunctionToolCall,
    MessageCreation,
    RunStep,
    ToolCalls,
)
from runstead.wire.runs import Run, RunStatus, Usage
from runstead.wire.threads import Thread

NOW = 1_700_000_000
"""When everything happens, unless a test says otherwise: equal timestamps are the hard case."""

_numbers = itertools.count(1)


def new_id(prefix: str) -> str:
    return f"{prefix}_{next(_numbers):024d}"


class SetClock:
    """A clock that moves when it is told to."""

    def __init__(self, now: float = NOW) -> None:
        self.time = now

    def now(self) -> float:
        return self.time


def change(*writes: Write) -> Change:
    return Change(writes=writes)


def an_assistant(**fields: Any) -> Assistant:
    given: dict[str, Any] = {"id": AssistantId(new_id("asst")), "created_at": NOW, "model": "gpt-4o"}
    return Assistant(**given | fields)


def a_thread(**fields: Any) -> Thread:
    given: dict[str, Any] = {"id": ThreadId(new_id("thread")), "created_at": NOW}
    return Thread(**given | fields)


def a_message(thread: Thread, text: str = "Hello?", **fields: Any) -> Message:
    given: dict[str, Any] = {
        "id": MessageId(new_id("msg")),
        "created_at": NOW,
        "thread_id": thread.id,
        "role": "user",
        "content": [TextContent(Text(text))],
    }
    return Message(**given | fields)


def a_record(
    thread: Thread, status: RunStatus = "queued", *, run: dict[str, Any] | None = None, **fields: Any
) -> RunRecord:
    shown: dict[str, Any] = {
        "id": RunId(new_id("run")),
        "created_at": NOW,
        "thread_id": thread.id,
        "assistant_id": AssistantId("asst_any"),
        "status": status,
        "expires_at": NOW + 600,
        "model": "gpt-4o",
        "instructions": "Be brief.",
    }
    given: dict[str, Any] = {"deadline": NOW + 600}
    return RunRecord(run=Run(**shown | (run or {})), **given | fields)


def with_status(record: RunRecord, status: RunStatus, **fields: Any) -> RunRecord:
    """The record in another status; other fields are the record's own."""
    return replace(record, run=replace(record.run, status=status), **fields)


def claimed(record: RunRecord, owner: str = "node-a", lease_until: float = NOW + 6) -> RunRecord:
    return with_status(
        record, "in_progress", owner=owner, epoch=record.epoch + 1, lease_until=lease_until, claimed_at=float(NOW)
    )


def ended(record: RunRecord, status: RunStatus = "completed") -> RunRecord:
    return with_status(record, status, owner=None, lease_until=None)


def a_step(record: RunRecord, **fields: Any) -> StepRecord:
    """A step that wrote a message."""
    created = MessageCreation(CreatedMessage(MessageId(new_id("msg"))))
    return _step(record, {"type": "message_creation", "step_details": created} | fields)


def a_call_step(record: RunRecord, output: str = "sunny", **fields: Any) -> StepRecord:
    """A step that called a function."""
    call = FunctionToolCall(id=new_id("call"), function=CalledFunction("weather", "{}", output))
    return _step(record, {"type": "tool_calls", "step_details": ToolCalls([call])} | fields)


def _step(record: RunRecord, fields: dict[str, Any]) -> StepRecord:
    given: dict[str, Any] = {
        "id": StepId(new_id("step")),
        "created_at": NOW,
        "assistant_id": record.run.assistant_id,
        "thread_id": record.run.thread_id,
        "run_id": record.run.id,
        "status": "completed",
    }
    return StepRecord(step=RunStep(**given | fields), model_call=1, call_usage=Usage(3, 4, 7), left_out=2)


def thread_with(record_of: Thread, *records: RunRecord) -> Change:
    return change(InsertThread(record_of), *(InsertRun(record) for record in records))
