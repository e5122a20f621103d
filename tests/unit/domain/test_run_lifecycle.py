from typing import Any, get_args

import pytest
from msgspec.structs import replace

from runstead.domain import run_lifecycle
from runstead.domain.errors import IllegalTransition
from runstead.domain.records import ACTIVE, RunRecord
from runstead.domain.run_lifecycle import NEXT, POISON_AFTER, SOON, TERMINAL, Signal, follow
from runstead.wire.runs import LastError, RunIncompleteDetails, RunStatus, Usage
from tests.unit.domain.making import DEADLINE, NOW, a_record, required_action

STATUSES: tuple[RunStatus, ...] = get_args(RunStatus)
SIGNALS: tuple[Signal, ...] = get_args(Signal)
EVERY_PAIR = [(status, signal) for status in STATUSES for signal in SIGNALS]
LEGAL = [(status, signal) for status in STATUSES for signal in NEXT.get(status, {})]
ENDINGS = [(status, signal) for status, signal in LEGAL if NEXT[status][signal] in TERMINAL]
MOMENT = {
    "completed": "completed_at",
    "incomplete": "completed_at",
    "cancelled": "cancelled_at",
    "failed": "failed_at",
    "expired": None,
}
MOMENTS = {"completed_at", "cancelled_at", "failed_at"}
LEASE: dict[str, Any] = {"owner": "w9", "now": NOW + 10.0, "lease_for": 6.0}


@pytest.mark.parametrize(("status", "signal"), EVERY_PAIR)
def test_a_signal_leads_to_a_known_status_or_is_refused(status, signal):
    if signal in NEXT.get(status, {}):
        assert follow(status, signal) in STATUSES
    else:
        with pytest.raises(IllegalTransition, match=signal):
            follow(status, signal)


def test_what_holds_the_lock_is_what_can_go_on():
    assert set(NEXT) == ACTIVE
    assert set(STATUSES) - ACTIVE == TERMINAL


@pytest.mark.parametrize("status", sorted(TERMINAL))
@pytest.mark.parametrize("signal", SIGNALS)
def test_an_end_is_final(status, signal):
    with pytest.raises(IllegalTransition):
        follow(status, signal)


def test_every_status_is_reached_from_a_new_run():
    reached: set[RunStatus] = {"queued"}
    for _ in STATUSES:
        reached |= {after for status in reached for after in NEXT.get(status, {}).values()}
    assert reached == set(STATUSES)


@pytest.mark.parametrize("status", sorted(ACTIVE))
def test_whoever_has_the_lock_can_be_brought_to_an_end(status):
    ends, seen = False, {status}
    while not ends and (more := {after for s in seen for after in NEXT.get(s, {}).values()} - seen):
        seen |= more
        ends = bool(seen & TERMINAL)
    assert ends


ACTS = {
    "claimed": lambda record: run_lifecycle.claim(record, **LEASE),
    "released": run_lifecycle.release,
    "tools_requested": lambda record: run_lifecycle.require_action(record, []),
    "outputs_submitted": run_lifecycle.requeue,
}


@pytest.mark.parametrize(("status", "signal"), EVERY_PAIR)
def test_a_record_follows_the_table(status, signal):
    record = a_record(status)
    before = replace(record)
    act = ACTS.get(signal, lambda record: run_lifecycle.end(record, signal, now=NOW + 10.0))
    if signal == "cancel_requested" and status == "in_progress":
        act = run_lifecycle.ask_to_cancel
    if signal in NEXT.get(status, {}):
        assert act(record).run.status == NEXT[status][signal]
    else:
        with pytest.raises(IllegalTransition):
            act(record)
    assert record == before


@pytest.mark.parametrize(("status", "signal"), ENDINGS)
def test_an_end_has_its_timestamp_its_usage_and_no_lease(status, signal):
    record = a_record(status, usage=Usage(5, 4, 9))

    ended = run_lifecycle.end(record, signal, now=NOW + 10.9)

    run, field = ended.run, MOMENT[ended.run.status]
    assert {name for name in MOMENTS if getattr(run, name) is not None} == ({field} if field else set())
    assert field is None or getattr(run, field) == NOW + 10
    assert run.expires_at == (DEADLINE if run.status == "expired" else None)
    assert run.usage == Usage(5, 4, 9)
    assert run.required_action is None
    assert (ended.owner, ended.lease_until, ended.claimed_at) == (None, None, None)
    assert ended.deadline == DEADLINE
    assert ended.epoch == record.epoch


def test_an_end_says_why():
    error, details = LastError("server_error", "no"), RunIncompleteDetails("max_prompt_tokens")
    assert run_lifecycle.end(a_record(), "failed", now=NOW, error=error).run.last_error == error
    assert run_lifecycle.end(a_record(), "cut_short", now=NOW, details=details).run.incomplete_details == details


def test_a_clock_that_was_set_back_ends_no_run_before_it_began():
    started = run_lifecycle.claim(a_record("queued"), owner="w1", now=NOW + 30.0, lease_for=6.0)

    ended = run_lifecycle.end(started, "finished", now=NOW + 5.0)

    assert (ended.run.started_at, ended.run.completed_at) == (NOW + 30, NOW + 30)
    assert run_lifecycle.claim(a_record("queued"), owner="w1", now=NOW - 5.0, lease_for=6.0).run.started_at == NOW


def test_a_claim_raises_the_epoch_and_starts_the_run_once():
    queued = a_record("queued")

    first = run_lifecycle.claim(queued, owner="w1", now=NOW + 1.5, lease_for=6.0)
    again = run_lifecycle.claim(first, owner="w2", now=NOW + 20.5, lease_for=6.0)

    assert (first.epoch, first.owner, first.claimed_at, first.lease_until) == (2, "w1", NOW + 1.5, NOW + 7.5)
    assert (again.epoch, again.owner, again.lease_until) == (3, "w2", NOW + 26.5)
    assert first.run.started_at == again.run.started_at == NOW + 1
    assert first.run.expires_at == DEADLINE


def test_a_run_that_waits_for_its_client_holds_no_lease_and_keeps_its_deadline():
    calls = required_action("call_a").submit_tool_outputs.tool_calls

    waiting = run_lifecycle.require_action(a_record(lost_leases=2), calls)
    queued = run_lifecycle.requeue(waiting)

    assert (waiting.owner, waiting.lease_until, waiting.claimed_at) == (None, None, None)
    assert waiting.run.required_action == required_action("call_a")
    assert waiting.lost_leases == 0
    assert waiting.epoch == a_record().epoch
    assert queued.epoch == waiting.epoch + 1
    assert queued.run.required_action is None
    assert queued.deadline == queued.run.expires_at == DEADLINE


def test_a_run_asked_to_stop_stays_with_its_worker():
    record = a_record()
    asked = run_lifecycle.ask_to_cancel(record)
    assert replace(asked, run=record.run) == record


def test_a_run_given_back_is_free_at_once():
    released = run_lifecycle.release(a_record(lost_leases=1))
    assert (released.owner, released.lease_until, released.claimed_at) == (None, 0.0, None)
    assert (released.run.status, released.epoch, released.lost_leases) == ("in_progress", 2, 1)


def lost(record: RunRecord, *, after: float = 1.0, alone: bool = True, owner: str = "w9") -> RunRecord:
    """The record taken over from a worker that died `after` seconds into its claim, having just renewed."""
    ended_at = (record.claimed_at or 0.0) + after + 6.0
    died = replace(record, lease_until=ended_at)
    return run_lifecycle.take_over(died, owner=owner, now=ended_at + 1, lease_for=6.0, alone=alone)


def test_three_quick_losses_alone_are_poison():
    record = a_record()
    for number in range(1, POISON_AFTER + 1):
        assert not run_lifecycle.is_poisoned(record)
        record = lost(record, owner=f"w{number + 1}")
        assert record.lost_leases == number
    assert run_lifecycle.is_poisoned(record)


@pytest.mark.parametrize("after", [0.0, SOON])
def test_a_loss_soon_after_the_claim_counts(after):
    assert lost(a_record(), after=after).lost_leases == 1


def test_a_loss_long_after_the_claim_begins_the_count_anew():
    assert lost(a_record(lost_leases=2), after=SOON + 0.1).lost_leases == 0


def test_a_loss_in_company_begins_the_count_anew():
    assert lost(a_record(lost_leases=2), alone=False).lost_leases == 0


def test_what_was_given_back_was_not_lost():
    released = run_lifecycle.release(a_record(lost_leases=1))
    taken = run_lifecycle.take_over(released, owner="w2", now=NOW + 1.0, lease_for=6.0, alone=True)
    assert (taken.lost_leases, taken.epoch) == (1, 3)


def test_a_worker_that_takes_back_its_own_run_was_not_killed_by_it():
    assert lost(a_record(lost_leases=2), owner="w1").lost_leases == 2
