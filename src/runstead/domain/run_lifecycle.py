"""The life of a run: statuses, signals and transitions as one table, and the records that follow from them.

An illegal transition raises and changes nothing. `docs/run-lifecycle.md` is drawn from the table.
"""

from typing import Literal, get_args

from msgspec.structs import replace

from runstead.domain.errors import IllegalTransition
from runstead.domain.records import RunRecord
from runstead.wire.run_steps import RunStep, StepStatus
from runstead.wire.runs import (
    LastError,
    RequiredAction,
    RequiredToolCall,
    Run,
    RunIncompleteDetails,
    RunStatus,
    SubmitToolOutputsAction,
    Usage,
)

Signal = Literal[
    "claimed",
    "released",
    "tools_requested",
    "outputs_submitted",
    "finished",
    "cut_short",
    "failed",
    "cancel_requested",
    "stopped",
    "deadline_passed",
]

UNDER_WAY: frozenset[RunStatus] = frozenset({"queued", "in_progress", "cancelling"})
"""A run in any other status rests: it has ended, or waits for its client."""

NEXT: dict[RunStatus, dict[Signal, RunStatus]] = {
    "queued": {
        "claimed": "in_progress",
        "failed": "failed",
        # Nothing executes, so nothing has to be stopped first.
        "cancel_requested": "cancelled",
        "deadline_passed": "expired",
    },
    "in_progress": {
        # Claimed again after a worker died or handed it back: a client must see nothing but a pause.
        "claimed": "in_progress",
        "released": "in_progress",
        "tools_requested": "requires_action",
        "finished": "completed",
        "cut_short": "incomplete",
        "failed": "failed",
        "cancel_requested": "cancelling",
        "deadline_passed": "expired",
    },
    "requires_action": {
        "outputs_submitted": "queued",
        "cancel_requested": "cancelled",
        "deadline_passed": "expired",
    },
    "cancelling": {
        "claimed": "cancelling",
        "released": "cancelling",
        "stopped": "cancelled",
    },
}
TERMINAL: frozenset[RunStatus] = frozenset(get_args(RunStatus)).difference(NEXT)

POISON_AFTER = 3
"""Leases lost in a row, each soon after its claim, before a run is held to kill its workers."""
SOON = 10.0
"""Seconds after a claim within which a loss counts as the run's doing."""


def follow(status: RunStatus, signal: Signal) -> RunStatus:
    """The status after a signal. Raises IllegalTransition."""
    try:
        return NEXT[status][signal]
    except KeyError:
        raise IllegalTransition(status, signal) from None


def claim(record: RunRecord, *, owner: str, now: float, lease_for: float) -> RunRecord:
    """The run in the hands of a worker, one epoch later."""
    run = record.run
    status = follow(run.status, "claimed")
    return replace(
        record,
        run=replace(run, status=status, started_at=run.started_at or max(int(now), run.created_at)),
        epoch=record.epoch + 1,
        owner=owner,
        claimed_at=now,
        lease_until=now + lease_for,
    )


def take_over(record: RunRecord, *, owner: str, now: float, lease_for: float, alone: bool) -> RunRecord:
    """Claim a run whose lease was lost; `alone` if its worker lost no other run at that moment.

    Only a loss that looks like the run's own doing counts against it. A lease given back is not a loss, nor is one
    that its worker could not renew but lives to take back.
    """
    taken = claim(record, owner=owner, now=now, lease_for=lease_for)
    if record.owner in (None, owner):
        return taken
    # The last renewal happened one lease before the end of the lease.
    lived = (record.lease_until or now) - lease_for - (record.claimed_at or now)
    return replace(taken, lost_leases=record.lost_leases + 1 if alone and lived <= SOON else 0)


def is_poisoned(record: RunRecord) -> bool:
    """Whether a run has killed its workers often enough to be ended."""
    return record.lost_leases >= POISON_AFTER


def release(record: RunRecord) -> RunRecord:
    """The run given back by a worker that stops: anybody may claim it at once."""
    status = follow(record.run.status, "released")
    return replace(record, run=replace(record.run, status=status), owner=None, lease_until=0.0, claimed_at=None)


def require_action(record: RunRecord, calls: list[RequiredToolCall]) -> RunRecord:
    """The run waiting for the client. It holds no lease meanwhile."""
    run = replace(
        record.run,
        status=follow(record.run.status, "tools_requested"),
        required_action=RequiredAction(submit_tool_outputs=SubmitToolOutputsAction(calls)),
    )
    return replace(record, run=run, owner=None, lease_until=None, claimed_at=None, lost_leases=0, has_open_calls=False)


def requeue(record: RunRecord) -> RunRecord:
    """The run queued again, because its outputs came. Its deadline stays."""
    run = replace(record.run, status=follow(record.run.status, "outputs_submitted"), required_action=None)
    epoch = record.epoch + 1
    return replace(record, run=run, epoch=epoch, owner=None, lease_until=None, requeued=epoch)


def ask_to_cancel(record: RunRecord) -> RunRecord:
    """A run that somebody executes, asked to stop: its lease and its epoch stand."""
    return replace(record, run=replace(record.run, status=follow(record.run.status, "cancel_requested")))


def end(
    record: RunRecord,
    signal: Signal,
    *,
    now: float,
    error: LastError | None = None,
    details: RunIncompleteDetails | None = None,
) -> RunRecord:
    """The run at its end, with the timestamp of that end and its usage."""
    run = record.run
    status = follow(run.status, signal)
    ended = replace(
        run,
        status=status,
        required_action=None,
        last_error=error,
        incomplete_details=details,
        usage=record.usage,
        # API: an ended run shows no deadline, except the one that met it.
        expires_at=record.deadline if status == "expired" else None,
        **_moment(run, status, int(now)),
    )
    return replace(record, run=ended, owner=None, lease_until=None, claimed_at=None, has_open_calls=False)


def _moment(run: Run, status: RunStatus, now: int) -> dict[str, int]:
    field = {
        "completed": "completed_at",
        # API: there is no incomplete_at; a run that met its budget is done at this moment.
        "incomplete": "completed_at",
        "cancelled": "cancelled_at",
        "failed": "failed_at",
    }.get(status)
    # Never before the run began, though the clocks of two workers differ or one was set back.
    return {} if field is None else {field: max(now, run.started_at or run.created_at)}


def end_step(
    step: RunStep, status: StepStatus, *, now: int, usage: Usage | None, error: LastError | None = None
) -> RunStep:
    """A step at its end, with the timestamp of that end and its usage."""
    return replace(step, status=status, last_error=error, usage=usage, **{_STEP_MOMENTS[status]: now})


_STEP_MOMENTS: dict[StepStatus, str] = {
    "completed": "completed_at",
    "failed": "failed_at",
    "cancelled": "cancelled_at",
    "expired": "expired_at",
}
