"""Records: what the store keeps of runs and steps, the API's object and what the API does not show beside it."""

from msgspec import Struct
from msgspec.structs import replace

from runstead.wire.run_steps import RunStep
from runstead.wire.runs import Run, RunStatus, Usage

ACTIVE: frozenset[RunStatus] = frozenset({"queued", "in_progress", "requires_action", "cancelling"})
"""A run in one of these holds its thread's lock."""


class RunRecord(Struct, frozen=True, kw_only=True):
    """A run and who holds it.

    `epoch` rises with every claim and with every commit outside a lease; `owner` is the worker that
    holds the lease, `lease_until` and `claimed_at` are unix seconds with fractions. `deadline` is the
    run's expires_at, kept when the run no longer shows one.
    """

    run: Run
    deadline: int
    epoch: int = 1
    owner: str | None = None
    lease_until: float | None = None
    claimed_at: float | None = None
    model_calls: int = 0
    usage: Usage = Usage()
    # Leases lost in a row without a new stored step, each soon after its claim: the mark of a run that kills.
    lost_leases: int = 0
    reasoning_effort: str | None = None
    # Whether a usage was counted by us because the model's server sent none.
    usage_estimated: bool = False
    # Whether the run's last step holds calls whose results, or whose handing over to the client, are still to come.
    has_open_calls: bool = False
    # The epoch in which outputs were last taken in. What was said of that can be said again, under the same numbers.
    requeued: int = 0


class CallNotes(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a call of a built-in tool and not shown.

    `query` is what a search looked for, `number` its place among the thread's searches, `error` what the model was told
    in place of results. `files` are those that code has left behind: paths below /mnt/data and their stored files.
    """

    is_done: bool = False
    query: str | None = None
    number: int = 0
    error: str | None = None
    files: dict[str, str] = {}


class StepRecord(Struct, frozen=True, kw_only=True):
    """A step and the model call it came from.

    `call_usage` waits here while the step is in progress, because the API shows a step's usage only at its end.
    `notes` are those of its calls of built-in tools, by the calls' ids.
    """

    step: RunStep
    model_call: int
    call_usage: Usage | None = None
    # How many of the thread's oldest messages did not fit the model's window for this call.
    left_out: int = 0
    notes: dict[str, CallNotes] = {}


def with_metadata(record: RunRecord, metadata: dict[str, str]) -> RunRecord:
    """The run with other metadata: it is the one part that its driver does not write."""
    return record if record.run.metadata == metadata else replace(record, run=replace(record.run, metadata=metadata))
