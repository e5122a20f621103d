"""Commits outside a lease: outputs submitted, a cancellation, a deadline. Each raises the epoch by one.

A run that somebody executes is only marked for cancellation here; its driver does the rest.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from runstead.domain import run_lifecycle, speech
from runstead.domain.change import Change, OwnerSignal, ReplaceRun, ReplaceStep, TakeRun
from runstead.domain.errors import InvalidRequest, NotAwaitingOutputs, NotCancellable, Stale, WrongOutputs
from runstead.domain.records import RunRecord, StepRecord
from runstead.domain.speech import Said
from runstead.wire.events import StreamEvent
from runstead.wire.run_steps import FunctionToolCall, RunStep, ToolCalls
from runstead.wire.runs import SubmitToolOutputs, ToolOutput


def submit(record: RunRecord, steps: Sequence[StepRecord], body: SubmitToolOutputs, *, now: float) -> Change:
    """The outputs stored, their step completed, the run queued. Raises NotAwaitingOutputs, WrongOutputs, or Stale."""
    run = record.run
    if run.status != "requires_action" or run.required_action is None:
        raise NotAwaitingOutputs(run.status)
    if now >= record.deadline:
        # The reconciler has not been here yet, but what it will write is certain.
        raise NotAwaitingOutputs("expired")
    outputs = _by_call([call.id for call in run.required_action.submit_tool_outputs.tool_calls], body.tool_outputs)
    requeued = run_lifecycle.requeue(record)
    open_step = _open_step(steps)
    done = _answered(open_step, outputs, int(now))
    return Change(
        writes=(ReplaceRun(requeued, was=record), ReplaceStep(done, was=open_step)),
        run_id=run.id,
        events=_taken_in(requeued, done.step),
        offers=(run.id,),
    )


def _taken_in(requeued: RunRecord, step: RunStep) -> tuple[StreamEvent, ...]:
    return speech.numbered([speech.of_step(step), speech.of_run(requeued.run)], epoch=requeued.requeued)


def taken_in(record: RunRecord, steps: Sequence[StepRecord]) -> tuple[StreamEvent, ...]:
    """What was said when outputs were last taken in, under the numbers that it had; nothing if none ever were.

    Whoever stored them may not have lived to say so, or say it late. Readers drop a number that they have had, so
    saying it again repairs the one and does not double the other.
    """
    for stored in reversed(steps):
        if record.requeued and stored.step.status == "completed" and isinstance(stored.step.step_details, ToolCalls):
            queued = replace(record.run, status="queued", required_action=None)
            return _taken_in(replace(record, run=queued), stored.step)
    return ()


def _by_call(expected: list[str], given: Sequence[ToolOutput]) -> dict[str, str]:
    for i, output in enumerate(given):
        if output.tool_call_id is None:
            raise InvalidRequest(
                f"Missing required parameter: 'tool_outputs[{i}].tool_call_id'.",
                param=f"tool_outputs[{i}].tool_call_id",
                code="missing_required_parameter",
            )
    got = [output.tool_call_id or "" for output in given]
    if sorted(expected) != sorted(got):
        raise WrongOutputs(expected, got)
    return {output.tool_call_id or "": output.output or "" for output in given}


def _open_step(steps: Sequence[StepRecord]) -> StepRecord:
    for record in reversed(steps):
        if record.step.status == "in_progress":
            return record
    # Somebody else's outputs, or a cancellation, came between the reading of the run and that of its steps.
    raise Stale("the run's step")


def _answered(record: StepRecord, outputs: dict[str, str], now: int) -> StepRecord:
    details = record.step.step_details
    assert isinstance(details, ToolCalls)
    calls = [
        replace(call, function=replace(call.function, output=outputs[call.id]))
        if isinstance(call, FunctionToolCall) and call.id in outputs
        else call
        for call in details.tool_calls
    ]
    step = replace(
        record.step, status="completed", completed_at=now, step_details=ToolCalls(calls), usage=record.call_usage
    )
    return replace(record, step=step)


def cancel(record: RunRecord, steps: Sequence[StepRecord], *, now: float) -> Change:
    """The run cancelled if nobody executes it, else asked to stop. Raises NotCancellable."""
    run = record.run
    if run.status not in run_lifecycle.NEXT or run.status == "cancelling":
        raise NotCancellable(run.status)
    if run.status == "in_progress":
        asked = run_lifecycle.ask_to_cancel(record)
        signals = () if record.owner is None else (OwnerSignal(run.id, record.owner),)
        offers = (run.id,) if record.owner is None else ()
        # Not merely marked: the run as it was read is written, and its driver may have stored a round since.
        return Change(writes=(TakeRun(asked, was=record),), run_id=run.id, signals=signals, offers=offers)
    ended = _raised(run_lifecycle.end(record, "cancel_requested", now=now))
    closed = _closed(steps, "cancelled", int(now))
    again = taken_in(record, steps) if run.status == "queued" else ()
    said: list[Said] = [("thread.run.cancelling", replace(run, status="cancelling", required_action=None))]
    said += [speech.of_step(write.record.step) for write in closed]
    said.append(speech.of_run(ended.run))
    return Change(
        writes=(ReplaceRun(ended, was=record), *closed),
        run_id=run.id,
        events=(*again, *speech.numbered(said, epoch=ended.epoch)),
    )


def expire(
    record: RunRecord,
    steps: Sequence[StepRecord],
    closings: Sequence[Said],
    *,
    again: tuple[StreamEvent, ...] = (),
    now: float,
) -> Change:
    """A run that met its deadline while nobody held it; `closings` close what a dead worker left open in the stream.

    `again` is what somebody stored and did not live to say.
    """
    ended = _raised(run_lifecycle.end(record, "deadline_passed", now=now))
    closed = _closed(steps, "expired", int(now))
    said: list[Said] = [*closings, *(speech.of_step(write.record.step) for write in closed)]
    said.append(speech.of_run(ended.run))
    return Change(
        writes=(TakeRun(ended, was=record), *closed),
        run_id=record.run.id,
        events=(*again, *speech.numbered(said, epoch=ended.epoch)),
    )


def _raised(record: RunRecord) -> RunRecord:
    return replace(record, epoch=record.epoch + 1)


def _closed(steps: Sequence[StepRecord], status: str, now: int) -> list[ReplaceStep]:
    """What closes those that are open."""
    moment = {"cancelled": {"cancelled_at": now}, "expired": {"expired_at": now}}[status]
    writes = []
    for record in steps:
        if record.step.status == "in_progress":
            step: RunStep = replace(record.step, status=status, usage=record.call_usage, **moment)
            writes.append(ReplaceStep(replace(record, step=step), was=record))
    return writes
