"""What the rows say: an in-memory model of the store's promises, held against the real stores by test_database.py.

Only what claims, fences and deadlines depend on is modelled. A change is applied whole or not at all, at one moment,
as a transaction is. The product has no such store and must not have one: a third store is a thing that drifts.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from msgspec.structs import replace

from runstead.domain.change import (
    AddMessage,
    Change,
    DeleteThread,
    InsertAssistant,
    InsertMessage,
    InsertRun,
    InsertStep,
    InsertThread,
    ReplaceRun,
    ReplaceStep,
    SetRunMetadata,
    TakeRun,
    Write,
)
from runstead.domain.code_sessions import CodeSession, LetGoOfCodeSession, TakeCodeSession
from runstead.domain.errors import NotFound, Stale, ThreadHasActiveRun, ThreadLocked
from runstead.domain.file_writes import TouchVectorStore
from runstead.domain.records import ACTIVE, RunRecord, StepRecord, with_metadata
from runstead.ports import Snapshot
from runstead.wire.assistants import Assistant
from runstead.wire.base import AssistantId, MessageId, RunId, StepId, ThreadId
from runstead.wire.messages import Message
from runstead.wire.runs import RunStatus
from runstead.wire.threads import Thread

LEASED = frozenset({"in_progress", "cancelling"})
Undo = list[Callable[[], object]]


class Database:
    """Rows by id; a dict's order is that of creation."""

    def __init__(self) -> None:
        self.assistants: dict[AssistantId, Assistant] = {}
        self.threads: dict[ThreadId, Thread] = {}
        self.messages: dict[MessageId, Message] = {}
        self.runs: dict[RunId, RunRecord] = {}
        self.steps: dict[StepId, StepRecord] = {}
        self.queued_since: dict[RunId, float] = {}
        self.code_sessions: dict[ThreadId, CodeSession] = {}

    # Changes

    def commit(self, change: Change, now: float) -> None:
        """See ports.Store."""
        undo: Undo = []
        try:
            for write in change.writes:
                self._apply(write, now, undo)
        except Exception:
            for take_back in reversed(undo):
                take_back()
            raise

    def _apply(self, write: Write, now: float, undo: Undo) -> None:
        match write:
            case ReplaceRun(record, was):
                self._replace_run(record, was, now, undo)
            case TakeRun(record, was):
                self._take_run(record, was, now, undo)
            case InsertStep(step):
                self._insert_step(step, undo)
            case ReplaceStep(step, was_step):
                self._replace_step(step, was_step, undo)
            case InsertMessage(message):
                self._insert_message(message, undo)
            case AddMessage(message):
                if (holder := self.find_active_run(message.thread_id)) is not None:
                    raise ThreadLocked(message.thread_id, holder.run.id)
                self._insert_message(message, undo)
            case InsertRun(record):
                self._insert_run(record, now, undo)
            case SetRunMetadata(thread_id, id, metadata):
                stored = self.runs.get(id)
                if stored is None or stored.run.thread_id != thread_id:
                    raise NotFound("run", id)
                _put(self.runs, id, with_metadata(stored, metadata), undo)
            case InsertThread(thread):
                if thread.id in self.threads:
                    raise Stale(f"thread {thread.id}")
                _put(self.threads, thread.id, thread, undo)
            case DeleteThread(id):
                self._delete_thread(id, undo)
            case TakeCodeSession():
                self._take_code_session(write, undo)
            case LetGoOfCodeSession(thread_id, owner, generation):
                session = self.code_sessions.get(thread_id)
                if session is not None and (session.owner, session.generation) == (owner, generation):
                    _put(self.code_sessions, thread_id, CodeSession(None, generation, None), undo)
            case TouchVectorStore():
                pass
            case InsertAssistant(assistant):
                _put(self.assistants, assistant.id, assistant, undo)
            case _:
                raise NotImplementedError(write)

    def _take_code_session(self, taking: TakeCodeSession, undo: Undo) -> None:
        run = self.runs.get(taking.run_id)
        if run is None or (run.run.thread_id, run.owner, run.epoch) != (taking.thread_id, taking.owner, taking.epoch):
            raise Stale(f"run {taking.run_id}")
        was = self.code_sessions.get(taking.thread_id, CodeSession(None, 0, None))
        taken = CodeSession(taking.owner, was.generation + 1, taking.lease_until)
        _put(self.code_sessions, taking.thread_id, taken, undo)

    def _replace_run(self, record: RunRecord, was: RunRecord, now: float, undo: Undo) -> None:
        if not self.is_fenced(was):
            raise Stale(f"run {record.run.id}")
        self._write_run(record, now, undo)

    def _take_run(self, record: RunRecord, was: RunRecord, now: float, undo: Undo) -> None:
        if not self.is_fenced(was) or self.runs[was.run.id].lease_until != was.lease_until:
            raise Stale(f"run {record.run.id}")
        self._write_run(record, now, undo)

    def is_fenced(self, was: RunRecord) -> bool:
        """Whether the row still says who holds the run, as it did."""
        row = self.runs.get(was.run.id)
        return row is not None and (row.run.status, row.epoch, row.owner) == (was.run.status, was.epoch, was.owner)

    def _write_run(self, record: RunRecord, now: float, undo: Undo) -> None:
        id = record.run.id
        stored = self.runs[id]
        if record.run.status != "queued":
            if id in self.queued_since:
                _drop(self.queued_since, id, undo)
        elif stored.run.status != "queued":
            _put(self.queued_since, id, now, undo)
        written = _with_lease_kept(record, stored)
        # The metadata has another writer.
        _put(self.runs, id, with_metadata(written, stored.run.metadata), undo)

    def _insert_run(self, record: RunRecord, now: float, undo: Undo) -> None:
        run = record.run
        if run.status in ACTIVE:
            self._refuse_second(record)
        if run.id in self.runs:
            raise Stale(f"run {run.id}")
        if run.thread_id not in self.threads:
            raise NotFound("thread", run.thread_id)
        _put(self.runs, run.id, record, undo)
        if run.status == "queued":
            _put(self.queued_since, run.id, now, undo)

    def _refuse_second(self, record: RunRecord) -> None:
        """The unique index on a thread's active run."""
        holder = self.find_active_run(record.run.thread_id)
        if holder is None:
            return
        if holder.run.id == record.run.id:
            raise Stale(f"run {record.run.id}")
        raise ThreadHasActiveRun(record.run.thread_id, holder.run.id)

    def _insert_step(self, step: StepRecord, undo: Undo) -> None:
        if step.step.id in self.steps:
            raise Stale(f"run step {step.step.id}")
        if step.step.run_id not in self.runs:
            raise NotFound("run", step.step.run_id)
        _put(self.steps, step.step.id, step, undo)

    def _replace_step(self, step: StepRecord, was: StepRecord, undo: Undo) -> None:
        stored = self.steps.get(was.step.id)
        # By its status and by what it keeps beside the step that is shown.
        if stored is None or stored.step.status != was.step.status or replace(stored, step=was.step) != was:
            raise Stale(f"run step {was.step.id}")
        _put(self.steps, step.step.id, step, undo)

    def _insert_message(self, message: Message, undo: Undo) -> None:
        if message.id in self.messages:
            raise Stale(f"message {message.id}")
        if message.thread_id not in self.threads:
            raise NotFound("thread", message.thread_id)
        _put(self.messages, message.id, message, undo)

    def _delete_thread(self, id: ThreadId, undo: Undo) -> None:
        if id not in self.threads:
            raise NotFound("thread", id)
        _drop(self.threads, id, undo)
        if id in self.code_sessions:
            _drop(self.code_sessions, id, undo)
        for run_id in [run_id for run_id, record in self.runs.items() if record.run.thread_id == id]:
            _drop(self.runs, run_id, undo)
            if run_id in self.queued_since:
                _drop(self.queued_since, run_id, undo)
        for step_id in [step_id for step_id, step in self.steps.items() if step.step.thread_id == id]:
            _drop(self.steps, step_id, undo)
        for message_id in [message_id for message_id, message in self.messages.items() if message.thread_id == id]:
            _drop(self.messages, message_id, undo)

    def renew(self, owner: str, lease_until: float) -> dict[RunId, tuple[int, RunStatus]]:
        """See ports.Store."""
        held: dict[RunId, tuple[int, RunStatus]] = {}
        for id, record in self.runs.items():
            if record.owner == owner and record.run.status in LEASED:
                self.runs[id] = replace(record, lease_until=max(lease_until, record.lease_until or 0.0))
                held[id] = (record.epoch, record.run.status)
        return held

    def renew_code_sessions(self, owner: str, lease_until: float) -> dict[ThreadId, int]:
        """See ports.Store."""
        held: dict[ThreadId, int] = {}
        for id, session in self.code_sessions.items():
            if session.owner == owner:
                self.code_sessions[id] = replace(session, lease_until=max(lease_until, session.lease_until or 0.0))
                held[id] = session.generation
        return held

    # Reads

    def find_code_sessions(self, ids: Iterable[ThreadId]) -> dict[ThreadId, CodeSession]:
        """See ports.Store."""
        return {id: self.code_sessions[id] for id in ids if id in self.code_sessions}

    def due(self, now: float, waiting_since: float, limit: int) -> list[RunRecord]:
        """See ports.Store."""
        found = [record for id, record in self.runs.items() if self._is_due(id, record, now, waiting_since)]
        return found[:limit]

    def _is_due(self, id: RunId, record: RunRecord, now: float, waiting_since: float) -> bool:
        status, lease_until = record.run.status, record.lease_until
        if status not in ACTIVE:
            return False
        if status == "queued" and self.queued_since[id] < waiting_since:
            return True
        if status in LEASED and lease_until is not None and lease_until < now:
            return True
        return record.deadline <= now and (lease_until is None or lease_until < now)

    def next_deadline(self) -> float | None:
        """See ports.Store."""
        return min((record.deadline for record in self.runs.values() if record.run.status in ACTIVE), default=None)

    def get_assistant(self, id: AssistantId) -> Assistant:
        """See ports.Store."""
        if id not in self.assistants:
            raise NotFound("assistant", id)
        return self.assistants[id]

    def get_thread(self, id: ThreadId) -> Thread:
        """See ports.Store."""
        if id not in self.threads:
            raise NotFound("thread", id)
        return self.threads[id]

    def get_run(self, thread_id: ThreadId, id: RunId) -> RunRecord:
        """See ports.Store."""
        self.get_thread(thread_id)
        record = self.runs.get(id)
        if record is None or record.run.thread_id != thread_id:
            raise NotFound("run", id)
        return record

    def find_run(self, id: RunId) -> RunRecord | None:
        """See ports.Store."""
        return self.runs.get(id)

    def find_active_run(self, thread_id: ThreadId) -> RunRecord | None:
        """See ports.Store."""
        return next((r for r in self.runs.values() if r.run.thread_id == thread_id and r.run.status in ACTIVE), None)

    def list_steps(self, run_id: RunId) -> list[StepRecord]:
        """See ports.Store."""
        return [record for record in self.steps.values() if record.step.run_id == run_id]

    def snapshot(self, run_id: RunId, max_bytes: int) -> Snapshot | None:
        """See ports.Store. Every thread here fits."""
        record = self.runs.get(run_id)
        if record is None:
            return None
        thread_id = record.run.thread_id
        messages = [message for message in self.messages.values() if message.thread_id == thread_id]
        return Snapshot(record, self.list_steps(run_id), messages, 0, self._earlier_steps(run_id, thread_id))

    def _earlier_steps(self, run_id: RunId, thread_id: ThreadId) -> list[StepRecord]:
        called = {
            s.step.run_id
            for s in self.steps.values()
            if s.step.thread_id == thread_id and s.step.type == "tool_calls" and s.step.status == "completed"
        } - {run_id}
        return [
            s
            for s in self.steps.values()
            if s.step.run_id in called and (s.step.type == "message_creation" or s.step.status == "completed")
        ]


def _with_lease_kept(record: RunRecord, stored: RunRecord) -> RunRecord:
    """What a holder keeps it cannot shorten, and makes a hair longer."""
    if record.owner is None or record.owner != stored.owner or record.lease_until is None or stored.lease_until is None:
        return record
    if stored.lease_until < record.lease_until:
        return record
    return replace(record, lease_until=stored.lease_until + 0.000001)


def _put(rows: dict[Any, Any], id: object, row: object, undo: Undo) -> None:
    if id in rows:
        undo.append(partial(rows.__setitem__, id, rows[id]))
    else:
        undo.append(partial(rows.__delitem__, id))
    rows[id] = row


def _drop(rows: dict[Any, Any], id: object, undo: Undo) -> None:
    """A row that comes back after a refusal must stand where it stood."""
    before = dict(rows)

    def restore() -> None:
        rows.clear()
        rows.update(before)

    undo.append(restore)
    del rows[id]
