"""Rules broken on purpose. Each is one that a careless change might break; a simulator that misses one is worth little."""

from typing import Any

from msgspec.structs import replace

from runstead.domain import run_lifecycle, turn, unleased
from runstead.domain.change import Change, ReplaceRun, ReplaceStep, TakeRun
from runstead.domain.errors import Stale
from runstead.domain.records import ACTIVE, RunRecord, with_metadata
from runstead.executor.lease import Lease
from runstead.executor.worker import Worker
from runstead.journal import Journal
from tests.simulation.changing import Mutation, changed
from tests.simulation.database import LEASED, Database


def the_fence_is_gone() -> Any:
    return changed(Database, "is_fenced", lambda self, was: was.run.id in self.runs)


def the_fence_overlooks_the_status() -> Any:
    def is_fenced(self: Database, was: RunRecord) -> bool:
        row = self.runs.get(was.run.id)
        return row is not None and (row.epoch, row.owner) == (was.epoch, was.owner)

    return changed(Database, "is_fenced", is_fenced)


def the_fence_overlooks_the_epoch() -> Any:
    def is_fenced(self: Database, was: RunRecord) -> bool:
        row = self.runs.get(was.run.id)
        return row is not None and (row.run.status, row.owner) == (was.run.status, was.owner)

    return changed(Database, "is_fenced", is_fenced)


def a_claim_overlooks_renewals() -> Any:
    return changed(Database, "_take_run", Database._replace_run)


def leases_are_never_looked_at() -> Any:
    def is_due(self: Database, id: Any, record: RunRecord, now: float, waiting_since: float) -> bool:
        return record.run.status in ("queued", *LEASED) or (record.run.status in ACTIVE and record.deadline <= now)

    return changed(Database, "_is_due", is_due)


def offers_are_taken_whoever_holds_the_run() -> Any:
    return changed(Worker, "_is_free", lambda self, record: record.run.status in ("queued", *LEASED))


def dead_leases_are_never_found() -> Any:
    def is_due(self: Database, id: Any, record: RunRecord, now: float, waiting_since: float) -> bool:
        return record.run.status == "queued" and self.queued_since[id] < waiting_since

    return changed(Database, "_is_due", is_due)


def lost_offers_are_never_found() -> Any:
    real = Database._is_due

    def is_due(self: Database, id: Any, record: RunRecord, now: float, waiting_since: float) -> bool:
        return record.run.status != "queued" and real(self, id, record, now, waiting_since)

    return changed(Database, "_is_due", is_due)


def the_reconciler_keeps_the_epoch() -> Any:
    return changed(unleased, "_raised", lambda record: record)


def a_claim_keeps_the_epoch() -> Any:
    real = run_lifecycle.claim

    def claim(record: RunRecord, **given: Any) -> RunRecord:
        return replace(real(record, **given), epoch=record.epoch)

    return changed(run_lifecycle, "claim", claim)


def two_runs_on_a_thread_are_not_refused() -> Any:
    return changed(Database, "_refuse_second", lambda self, record: None)


def an_ended_run_is_written_again() -> Any:
    def cancel(record: RunRecord, steps: Any, *, now: float) -> Change:
        asked = replace(record, run=replace(record.run, status="cancelling"), epoch=record.epoch + 1)
        return Change(writes=(ReplaceRun(asked, was=record),), run_id=record.run.id)

    return changed(unleased, "cancel", cancel)


def trust_never_ends() -> Any:
    return changed(Lease, "is_valid", property(lambda self: True))


def trust_outlives_the_lease() -> Any:
    real = Lease.__init__
    return changed(Lease, "__init__", lambda self, trust_for: real(self, trust_for * 3))


def news_comes_before_the_commit() -> Any:
    async def commit(self: Journal, change: Change) -> None:
        if change.events and change.run_id is not None:
            self._bus.emit(change.run_id, change.events)
        await self._store.commit(change)
        for run_id in change.offers:
            await self._bus.offer(run_id)

    return changed(Journal, "commit", commit)


def a_model_call_is_not_counted() -> Any:
    return changed(turn, "_counted", lambda record, answer, usage: record)


def outputs_are_written_without_a_fence() -> Any:
    real = unleased.submit

    def submit(*given: Any, **more: Any) -> Change:
        change = real(*given, **more)
        return replace(change, writes=tuple(w for w in change.writes if isinstance(w, ReplaceStep)))

    return changed(unleased, "submit", submit)


def drains_count_as_losses() -> Any:
    real = run_lifecycle.claim

    def take_over(record: RunRecord, *, alone: bool, **given: Any) -> RunRecord:
        return replace(real(record, **given), lost_leases=record.lost_leases + 3)

    return changed(run_lifecycle, "take_over", take_over)


def a_write_shortens_the_lease() -> Any:
    def write_run(self: Database, record: RunRecord, now: float, undo: Any) -> None:
        stored = self.runs[record.run.id]
        real(self, record, now, undo)
        self.runs[record.run.id] = with_metadata(record, stored.run.metadata)

    real = Database._write_run
    return changed(Database, "_write_run", write_run)


def a_late_renewal_shortens_the_lease() -> Any:
    real = Database.renew

    def renew(self: Database, owner: str, lease_until: float) -> Any:
        held = real(self, owner, lease_until)
        for id in held:
            self.runs[id] = replace(self.runs[id], lease_until=lease_until)
        return held

    return changed(Database, "renew", renew)


def a_cancellation_writes_what_it_once_read() -> Any:
    real = unleased.cancel

    def cancel(*given: Any, **more: Any) -> Change:
        change = real(*given, **more)
        writes = tuple(ReplaceRun(w.record, w.was) if isinstance(w, TakeRun) else w for w in change.writes)
        return replace(change, writes=writes)

    return changed(unleased, "cancel", cancel)


def requeued_runs_are_taken_for_new_ones() -> Any:
    real = Worker.drive
    return changed(Worker, "drive", lambda self, record, lease, *, fresh: real(self, record, lease, fresh=True))


def a_stale_write_is_said_to_be_done() -> Any:
    real = Journal.commit

    async def commit(self: Journal, change: Change) -> None:
        try:
            await real(self, change)
        except Stale:
            return

    return changed(Journal, "commit", commit)


MUTATIONS: tuple[Mutation, ...] = (
    the_fence_is_gone,
    the_fence_overlooks_the_status,
    the_fence_overlooks_the_epoch,
    a_claim_overlooks_renewals,
    leases_are_never_looked_at,
    offers_are_taken_whoever_holds_the_run,
    dead_leases_are_never_found,
    lost_offers_are_never_found,
    the_reconciler_keeps_the_epoch,
    a_claim_keeps_the_epoch,
    two_runs_on_a_thread_are_not_refused,
    an_ended_run_is_written_again,
    trust_never_ends,
    trust_outlives_the_lease,
    news_comes_before_the_commit,
    a_model_call_is_not_counted,
    outputs_are_written_without_a_fence,
    drains_count_as_losses,
    a_write_shortens_the_lease,
    a_late_renewal_shortens_the_lease,
    a_cancellation_writes_what_it_once_read,
    requeued_runs_are_taken_for_new_ones,
    a_stale_write_is_said_to_be_done,
)
