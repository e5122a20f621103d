"""A run's next action, given what is stored; and what an answer of the model changes.

The stored steps are the only memory: a worker that takes a run over decides as the one before it would have.
"""

import math
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from runstead.domain import builtin, run_lifecycle, speech
from runstead.domain.answer import Answer
from runstead.domain.change import InsertMessage, InsertStep, ReplaceRun, Write
from runstead.domain.errors import ModelFailed
from runstead.domain.records import RunRecord, StepRecord
from runstead.domain.run_lifecycle import Signal
from runstead.domain.speech import Said
from runstead.wire.messages import IncompleteReason
from runstead.wire.run_steps import FunctionToolCall, StepStatus, ToolCall, ToolCalls
from runstead.wire.runs import (
    FunctionCall,
    LastError,
    RequiredToolCall,
    RunIncompleteDetails,
    Usage,
)
from runstead.wire.tools import FunctionTool


class CallModel(Struct, frozen=True):
    """Ask the model for the next answer."""


class RunTools(Struct, frozen=True):
    """Perform the calls of built-in tools that the run's last step still holds."""


class End(Struct, frozen=True):
    """Nothing more is to be done but to end the run."""

    signal: Signal
    error: LastError | None = None


class Rest(Struct, frozen=True):
    """The run needs no worker now."""


Action = CallModel | RunTools | End | Rest


def next_action(record: RunRecord, *, now: float, max_model_calls: int, able: frozenset[str]) -> Action:
    """What a driver does now. `able` are the built-in tools that this server can run."""
    run = record.run
    if run.status == "cancelling":
        return End("stopped")
    if run.status != "in_progress":
        return Rest()
    if now >= record.deadline:
        return End("deadline_passed")
    if run_lifecycle.is_poisoned(record):
        words = f"The server stopped {record.lost_leases} times in a row while it worked on this run; it was given up."
        return End("failed", LastError("server_error", words))
    for kind in sorted({kind for tool in run.tools if (kind := builtin.kind_of(tool)) is not None} - able):
        words = f"This run needs the tool '{kind}', which this server cannot run. Remove it from the tools."
        return End("failed", LastError("server_error", words))
    if record.has_open_calls:
        return RunTools()
    if record.model_calls >= max_model_calls:
        words = f"The run called the model {record.model_calls} times, the limit (RUNSTEAD_MAX_MODEL_CALLS)."
        return End("failed", LastError("server_error", words))
    return CallModel()


class Concluded(Struct, frozen=True):
    """What a driver commits and says: `said` after the commit, `record` is the run from then on."""

    writes: tuple[Write, ...]
    said: list[Said]
    record: RunRecord


def conclude(record: RunRecord, answer: Answer, usage: Usage, *, now: float) -> Concluded:
    """The change that a whole answer makes."""
    counted = _counted(record, answer, usage)
    moment = int(now)
    if answer.finish_reason == "content_filter":
        error = LastError("server_error", "The model's answer was stopped by a content filter.")
        return cut(record, answer, "failed", usage, now=now, error=error, reason="content_filter")
    if answer.finish_reason == "length":
        return _cut_by_budget(counted, record, answer, usage, now)
    said = answer.finish(moment, usage)
    if answer.tool_step is None:
        ended = run_lifecycle.end(counted, "finished", now=now)
        said.append(speech.of_run(ended.run))
        return _concluded(record, ended, answer, usage, said)
    return _with_calls(record, counted, answer, usage, said, now)


def _with_calls(
    record: RunRecord, counted: RunRecord, answer: Answer, usage: Usage, said: list[Said], now: float
) -> Concluded:
    functions = [tool.function.name for tool in record.run.tools if isinstance(tool, FunctionTool)]
    calls = answer.judge_calls(functions)
    assert answer.tool_step is not None
    answer.tool_step = replace(answer.tool_step, step_details=ToolCalls(calls))
    for index, call in enumerate(calls):
        said += speech.of_outputs(answer.tool_step.id, index, call)
    if answer.has_open_calls:
        # Stored before anything is performed: whoever takes the run over knows what was meant to happen.
        return _concluded(record, replace(counted, has_open_calls=True, lost_leases=0), answer, usage, said)
    if awaited := awaited_calls(calls):
        waiting = run_lifecycle.require_action(counted, awaited)
        said.append(speech.of_run(waiting.run))
        return _concluded(record, waiting, answer, usage, said)
    # Nothing that was called can be done: the model is told so and asked again.
    answer.tool_step = replace(answer.tool_step, status="completed", completed_at=int(now), usage=usage)
    said.append(speech.of_step(answer.tool_step))
    return _concluded(record, replace(counted, lost_leases=0), answer, usage, said)


def awaited_calls(calls: Sequence[ToolCall]) -> list[RequiredToolCall]:
    """The calls that only the client can answer."""
    return [
        RequiredToolCall(id=call.id, function=FunctionCall(call.function.name, call.function.arguments))
        for call in calls
        if isinstance(call, FunctionToolCall) and call.function.output is None
    ]


def _cut_by_budget(counted: RunRecord, record: RunRecord, answer: Answer, usage: Usage, now: float) -> Concluded:
    error = LastError("server_error", "The answer met its token limit before the tool call was complete.")
    said = answer.cut(
        "failed" if answer.tool_step else "completed",
        "max_tokens",
        int(now),
        usage,
        error if answer.tool_step else None,
    )
    details = RunIncompleteDetails("max_completion_tokens")
    ended = run_lifecycle.end(counted, "cut_short", now=now, details=details)
    said.append(speech.of_run(ended.run))
    return _concluded(record, ended, answer, usage, said)


STEP_AFTER: dict[Signal, StepStatus] = {"stopped": "cancelled", "deadline_passed": "expired", "failed": "failed"}
_REASON_AFTER: dict[Signal, IncompleteReason] = {
    "stopped": "run_cancelled",
    "deadline_passed": "run_expired",
    "failed": "run_failed",
}


def cut(
    record: RunRecord,
    answer: Answer | None,
    signal: Signal,
    usage: Usage,
    *,
    now: float,
    error: LastError | None = None,
    reason: IncompleteReason | None = None,
) -> Concluded:
    """The run ends before its answer is whole: cancelled, expired or failed."""
    counted = record if answer is None else _counted(record, answer, usage)
    ended = run_lifecycle.end(counted, signal, now=now, error=error)
    said: list[Said] = []
    if answer is not None:
        said += answer.cut(STEP_AFTER[signal], reason or _REASON_AFTER[signal], int(now), usage, error)
    said.append(speech.of_run(ended.run))
    return _concluded(record, ended, answer, usage, said)


def exhausted(record: RunRecord, details: RunIncompleteDetails, *, now: float) -> Concluded:
    """A budget is used up before the model could be asked again."""
    ended = run_lifecycle.end(record, "cut_short", now=now, details=details)
    return Concluded((ReplaceRun(ended, was=record),), [speech.of_run(ended.run)], ended)


def budget_left(record: RunRecord) -> int | None:
    """Completion tokens the run may still use, or None without a limit."""
    limit = record.run.max_completion_tokens
    return None if limit is None else limit - record.usage.completion_tokens


def _counted(record: RunRecord, answer: Answer, usage: Usage) -> RunRecord:
    return replace(
        record,
        model_calls=record.model_calls + 1,
        usage=record.usage + usage,
        usage_estimated=record.usage_estimated or answer.counted is None,
    )


def _concluded(was: RunRecord, record: RunRecord, answer: Answer | None, usage: Usage, said: list[Said]) -> Concluded:
    writes: list[Write] = [ReplaceRun(record, was=was)]
    if answer is not None:
        if answer.message is not None:
            writes.append(InsertMessage(answer.message))
        writes += [InsertStep(step) for step in answer.step_records(usage)]
    return Concluded(tuple(writes), said, record)


def last_error(failure: ModelFailed) -> LastError:
    """A model's failure as the run shows it."""
    return LastError(failure.code, failure.message)


def used_call_ids(steps: Sequence[StepRecord]) -> set[str]:
    """The ids of all calls that these steps hold."""
    return {
        call.id
        for record in steps
        if isinstance(record.step.step_details, ToolCalls)
        for call in record.step.step_details.tool_calls
    }


def estimate_tokens(text: str) -> int:
    """A rough count for a server that sends no usage."""
    return tokens_of(len(text.encode("utf-8", "replace")))


def tokens_of(bytes: int) -> int:
    """As many tokens as so many bytes of text usually are: four bytes a token."""
    return math.ceil(bytes / 4)
