"""What each write of a change asks of a database, in order, and which refusal a failure means.

Nothing here speaks to a database: an adapter carries the steps out in one transaction.
"""

from collections.abc import Callable
from typing import Any, TypeVar, assert_never

from msgspec import structs

from runstead.domain.change import (
    AddMessage,
    DeleteAssistant,
    DeleteMessage,
    DeleteThread,
    InsertAssistant,
    InsertMessage,
    InsertRun,
    InsertStep,
    InsertThread,
    ReplaceAssistant,
    ReplaceMessage,
    ReplaceRun,
    ReplaceStep,
    ReplaceThread,
    SetRunMetadata,
    TakeRun,
    Write,
)
from runstead.domain.code_sessions import LetGoOfCodeSession, TakeCodeSession
from runstead.domain.errors import KeyUsed, NotFound, RunsteadError, Stale, ThreadHasActiveRun, ThreadLocked
from runstead.domain.file_writes import FileWrite
from runstead.domain.keyed_requests import RememberRequest
from runstead.domain.records import ACTIVE, RunRecord, StepRecord
from runstead.store import rows, statements
from runstead.store.file_changes import file_steps, holding
from runstead.store.steps import REMEMBERED_FOR, Ask, Insert, Step, Swap, Sweep, Touch
from runstead.wire.messages import Message

T = TypeVar("T")


def steps(write: Write, now: float) -> list[Step]:
    """Encoding is done here, so its errors are the caller's alone."""
    if isinstance(write, FileWrite):
        return file_steps(write, now)
    match write:
        case InsertAssistant(assistant):
            stale = Stale(f"assistant {assistant.id}")
            insert = Insert(statements.INSERT_ASSISTANT, rows.object_row(assistant), stale, stale)
            return [insert, *holding(assistant.id, assistant.tool_resources)]
        case ReplaceAssistant(assistant, was):
            row = rows.object_row(assistant)
            return [
                _swapping(
                    f"assistant {was.id}",
                    statements.GET_ASSISTANT,
                    statements.REPLACE_ASSISTANT,
                    row,
                    was,
                    rows.decode_assistant,
                ),
                *holding(assistant.id, assistant.tool_resources, was.tool_resources),
            ]
        case DeleteAssistant(id):
            refusal = NotFound("assistant", id)
            row = {"id": id, "deleted_at": now}
            return [
                Touch(statements.REMEMBER_ASSISTANT, row, refusal),
                Touch(statements.DELETE_ASSISTANT, row, refusal),
                _forgetting(statements.FORGET_ASSISTANTS, now),
            ]
        case InsertThread(thread):
            stale = Stale(f"thread {thread.id}")
            insert = Insert(statements.INSERT_THREAD, rows.object_row(thread), stale, stale)
            return [insert, *holding(thread.id, thread.tool_resources)]
        case ReplaceThread(thread, was_thread):
            row = rows.object_row(thread)
            return [
                _swapping(
                    f"thread {was_thread.id}",
                    statements.GET_THREAD,
                    statements.REPLACE_THREAD,
                    row,
                    was_thread,
                    rows.decode_thread,
                ),
                *holding(thread.id, thread.tool_resources, was_thread.tool_resources),
            ]
        case DeleteThread(id):
            return [Touch(statements.DELETE_THREAD, {"id": id}, NotFound("thread", id))]
        case AddMessage(message):
            return [_asking_for_the_lock(message), _inserting_message(message)]
        case InsertMessage(message):
            return [_inserting_message(message)]
        case ReplaceMessage(message, was_message):
            row = rows.message_row(message)
            return [
                _swapping(
                    f"message {was_message.id}",
                    statements.GET_MESSAGE,
                    statements.REPLACE_MESSAGE,
                    row,
                    was_message,
                    rows.decode_message,
                )
            ]
        case DeleteMessage(thread_id, id):
            refusal = NotFound("message", id)
            row = {"id": id, "thread_id": thread_id, "deleted_at": now}
            return [
                Touch(statements.REMEMBER_MESSAGE, row, refusal),
                Touch(statements.DELETE_MESSAGE, row, refusal),
                _forgetting(statements.FORGET_MESSAGES, now),
            ]
        case InsertRun(record):
            return _inserting_run(record, now)
        case ReplaceRun(record, was_record):
            return [_replacing_run(statements.REPLACE_RUN, record, was_record, now)]
        case TakeRun(record, was_record):
            return [_replacing_run(statements.TAKE_RUN, record, was_record, now)]
        case SetRunMetadata(thread_id, id, metadata):
            row = {"id": id, "thread_id": thread_id, "metadata": rows.metadata_column(metadata)}
            return [Touch(statements.SET_RUN_METADATA, row, NotFound("run", id))]
        case InsertStep(step_record):
            row = rows.step_row(step_record)
            stale = Stale(f"run step {row['id']}")
            return [Insert(statements.INSERT_STEP, row, stale, NotFound("run", row["run_id"]))]
        case ReplaceStep(step_record, was_step):
            return [_replacing_step(step_record, was_step)]
        case TakeCodeSession(run_id=run_id):
            return [Touch(statements.TAKE_CODE_SESSION, structs.asdict(write), Stale(f"run {run_id}"))]
        case LetGoOfCodeSession():
            return [Sweep(statements.LET_GO_OF_CODE_SESSION, structs.asdict(write))]
        case RememberRequest(key, request, expires_at):
            row = {"key": key, "fingerprint": request.fingerprint, "expires_at": expires_at}
            row["place"] = rows.encode(request.place).decode()
            used = KeyUsed(key)
            # What is forgotten first may be this very key.
            return [
                Sweep(statements.FORGET_REQUESTS, {"at": int(now)}),
                Insert(statements.REMEMBER_REQUEST, row, used, used),
            ]
        case unreachable:
            assert_never(unreachable)


def _asking_for_the_lock(message: Message) -> Ask:
    thread_id = message.thread_id
    return Ask(statements.FIND_ACTIVE_RUN_ID, {"thread_id": thread_id}, lambda holder: ThreadLocked(thread_id, holder))


def _inserting_message(message: Message) -> Insert:
    return Insert(
        statements.INSERT_MESSAGE,
        rows.message_row(message),
        Stale(f"message {message.id}"),
        NotFound("thread", message.thread_id),
    )


def _inserting_run(record: RunRecord, now: float) -> list[Step]:
    """The lock is asked for so that its holder can be named; that there is one holder is the index's promise."""
    run, row = record.run, rows.run_row(record, now)
    stale = Stale(f"run {run.id}")
    insert = Insert(statements.INSERT_RUN, row, stale, NotFound("thread", run.thread_id))
    if run.status not in ACTIVE:
        return [insert]

    def refusal(holder: str) -> RunsteadError:
        return stale if holder == run.id else ThreadHasActiveRun(run.thread_id, holder)

    return [Ask(statements.FIND_ACTIVE_RUN_ID, row, refusal), insert]


def _replacing_run(statement: str, record: RunRecord, was: RunRecord, now: float) -> Touch:
    row = rows.run_row(record, now) | rows.fence(was)
    return Touch(statement, row, Stale(f"run {record.run.id}"))


def _replacing_step(record: StepRecord, was: StepRecord) -> Swap:
    """Judged by what its row keeps beside it: every result changes that, and not every one changes what is shown."""
    row, known = rows.step_row(record) | {"was_status": was.step.status}, rows.step_extra(was)
    return Swap(
        statements.GET_STEP_EXTRA,
        statements.REPLACE_STEP,
        row,
        rows.encode(known),
        lambda extra: rows.decode_step_extra(extra) == known,
        Stale(f"run step {record.step.id}"),
        "extra",
    )


def _forgetting(statement: str, now: float) -> Sweep:
    return Sweep(statement, {"forgotten_before": now - REMEMBERED_FOR})


def _swapping(what: str, get: str, replace: str, row: rows.Row, was: T, decode: Callable[[Any], T]) -> Swap:
    return Swap(get, replace, row, rows.encode(was), lambda body: decode(body) == was, Stale(what))
