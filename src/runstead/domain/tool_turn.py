"""What comes of the calls of built-in tools that a stored step holds: result by result, then the step's end."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from runstead.domain import run_lifecycle, speech, turn
from runstead.domain.change import ReplaceRun, ReplaceStep
from runstead.domain.errors import Stale
from runstead.domain.records import CallNotes, RunRecord, StepRecord
from runstead.domain.run_lifecycle import Signal
from runstead.domain.speech import Said
from runstead.domain.turn import Concluded
from runstead.wire.run_steps import CodeInterpreterToolCall, FileSearchToolCall, RunStep, StepStatus, ToolCalls
from runstead.wire.runs import LastError

BuiltinCall = CodeInterpreterToolCall | FileSearchToolCall


class Performed(Struct, frozen=True):
    """A call of a built-in tool with what came of it."""

    call: BuiltinCall
    notes: CallNotes


def open_step(steps: Sequence[StepRecord]) -> StepRecord:
    """The step whose calls are to be performed. Raises Stale if somebody has closed it."""
    for record in reversed(steps):
        if record.step.status == "in_progress" and record.step.type == "tool_calls":
            return record
    raise Stale("the run's step")


def next_call(record: StepRecord) -> BuiltinCall | None:
    """The first call that has no result."""
    for call in _calls(record).tool_calls:
        notes = record.notes.get(call.id)
        if notes is not None and not notes.is_done and isinstance(call, CodeInterpreterToolCall | FileSearchToolCall):
            return call
    return None


def conclude(record: RunRecord, step: StepRecord, performed: Performed, *, now: float) -> Concluded:
    """The change that a call's result makes; with the last one the model is asked again, unless the client is first."""
    calls = [performed.call if call.id == performed.call.id else call for call in _calls(step).tool_calls]
    place = next(place for place, call in enumerate(calls) if call.id == performed.call.id)
    known = replace(
        step,
        step=replace(step.step, step_details=ToolCalls(calls)),
        notes=step.notes | {performed.call.id: performed.notes},
    )
    said: list[Said] = speech.of_outputs(step.step.id, place, performed.call)
    progressed = replace(record, lost_leases=0)
    if next_call(known) is None and not turn.awaited_calls(calls):
        progressed = replace(progressed, has_open_calls=False)
        known = replace(known, step=_ended(known, "completed", now))
        said.append(speech.of_step(known.step))
    return Concluded((ReplaceRun(progressed, was=record), ReplaceStep(known, was=step)), said, progressed)


def hand_over(record: RunRecord, step: StepRecord) -> Concluded | None:
    """What built-in tools had to do is done: the client is asked for the rest; None if there is none.

    A commit of its own, after the last result was told: who takes the client's outputs in need not know what was.
    """
    awaited = turn.awaited_calls(_calls(step).tool_calls)
    if not awaited:
        return None
    waiting = run_lifecycle.require_action(record, awaited)
    return Concluded((ReplaceRun(waiting, was=record),), [speech.of_run(waiting.run)], waiting)


def cut(
    record: RunRecord, step: StepRecord, signal: Signal, *, now: float, error: LastError | None = None
) -> Concluded:
    """The run ends while calls are open: what has no result will not get one."""
    ended = run_lifecycle.end(record, signal, now=now, error=error)
    closed = replace(step, step=_ended(step, turn.STEP_AFTER[signal], now, error))
    said = [speech.of_step(closed.step), speech.of_run(ended.run)]
    return Concluded((ReplaceRun(ended, was=record), ReplaceStep(closed, was=step)), said, ended)


def _ended(record: StepRecord, status: StepStatus, now: float, error: LastError | None = None) -> RunStep:
    return run_lifecycle.end_step(record.step, status, now=int(now), usage=record.call_usage, error=error)


def _calls(record: StepRecord) -> ToolCalls:
    details = record.step.step_details
    assert isinstance(details, ToolCalls)
    return details
