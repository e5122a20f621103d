"""How each write of a change is applied inside a transaction, and which refusal a failure means."""

import sqlite3
from collections.abc import Callable
from typing import assert_never

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
from runstead.domain.errors import NotFound, Stale, ThreadHasActiveRun, ThreadLocked
from runstead.domain.records import RunRecord
from runstead.store import rows, statements
from runstead.wire.messages import Message

Statement = Callable[[sqlite3.Connection], None]


def prepare(write: Write, now: float) -> Statement:
    """What is left to do on the writer's thread. Encoding is done here, so its errors are the caller's alone."""
    match write:
        case InsertAssistant(assistant):
            return _inserting("assistant", assistant.id, statements.INSERT_ASSISTANT, rows.object_row(assistant))
        case ReplaceAssistant(assistant, was):
            row = rows.object_row(assistant)
            return _replacing(
                f"assistant {was.id}",
                statements.GET_ASSISTANT,
                statements.REPLACE_ASSISTANT,
                row,
                lambda body: rows.decode_assistant(body) == was,
            )
        case DeleteAssistant(id):
            return _requiring_a_row(NotFound("assistant", id), statements.DELETE_ASSISTANT, {"id": id})
        case InsertThread(thread):
            return _inserting("thread", thread.id, statements.INSERT_THREAD, rows.object_row(thread))
        case ReplaceThread(thread, was_thread):
            row = rows.object_row(thread)
            return _replacing(
                f"thread {was_thread.id}",
                statements.GET_THREAD,
                statements.REPLACE_THREAD,
                row,
                lambda body: rows.decode_thread(body) == was_thread,
            )
        case DeleteThread(id):
            return _requiring_a_row(NotFound("thread", id), statements.DELETE_THREAD, {"id": id})
        case AddMessage(message):
            return _adding_message(message)
        case InsertMessage(message):
            return _inserting_message(message)
        case ReplaceMessage(message, was_message):
            row = rows.message_row(message)
            return _replacing(
                f"message {was_message.id}",
                statements.GET_MESSAGE,
                statements.REPLACE_MESSAGE,
                row,
                lambda body: rows.decode_message(body) == was_message,
            )
        case DeleteMessage(thread_id, id):
            row = {"id": id, "thread_id": thread_id}
            return _requiring_a_row(NotFound("message", id), statements.DELETE_MESSAGE, row)
        case InsertRun(record):
            return _inserting_run(record, now)
        case ReplaceRun(record, was_record):
            return _replacing_run(statements.REPLACE_RUN, record, was_record, now)
        case TakeRun(record, was_record):
            return _replacing_run(statements.TAKE_RUN, record, was_record, now)
        case SetRunMetadata(thread_id, id, metadata):
            row = {"id": id, "thread_id": thread_id, "metadata": rows.metadata_column(metadata)}
            return _requiring_a_row(NotFound("run", id), statements.SET_RUN_METADATA, row)
        case InsertStep(step_record):
            row = rows.step_row(step_record)
            return _inserting("run step", row["id"], statements.INSERT_STEP, row, NotFound("run", row["run_id"]))
        case ReplaceStep(step_record):
            row = rows.step_row(step_record)
            return _requiring_a_row(NotFound("run step", row["id"]), statements.REPLACE_STEP, row)
        case unreachable:
            assert_never(unreachable)


def _inserting(kind: str, id: str, statement: str, row: rows.Row, orphaned: Exception | None = None) -> Statement:
    """An id that is taken means that somebody wrote this first."""

    def apply(connection: sqlite3.Connection) -> None:
        try:
            connection.execute(statement, row)
        except sqlite3.IntegrityError as error:
            if orphaned is not None and _is_orphaned(error):
                raise orphaned from error
            raise Stale(f"{kind} {id}") from error

    return apply


def _inserting_message(message: Message) -> Statement:
    return _inserting(
        "message",
        message.id,
        statements.INSERT_MESSAGE,
        rows.message_row(message),
        NotFound("thread", message.thread_id),
    )


def _adding_message(message: Message) -> Statement:
    insert = _inserting_message(message)
    thread_id = message.thread_id

    def apply(connection: sqlite3.Connection) -> None:
        # No other connection writes, so nothing can become active between the question and the insert.
        holder = connection.execute(statements.FIND_ACTIVE_RUN_ID, {"thread_id": thread_id}).fetchone()
        if holder is not None:
            raise ThreadLocked(thread_id, holder[0])
        insert(connection)

    return apply


def _inserting_run(record: RunRecord, now: float) -> Statement:
    row = rows.run_row(record, now)
    run = record.run

    def apply(connection: sqlite3.Connection) -> None:
        try:
            connection.execute(statements.INSERT_RUN, row)
        except sqlite3.IntegrityError as error:
            if _is_orphaned(error):
                raise NotFound("thread", run.thread_id) from error
            holder = connection.execute(statements.FIND_ACTIVE_RUN_ID, row).fetchone()
            if holder is None or holder[0] == run.id:
                raise Stale(f"run {run.id}") from error
            raise ThreadHasActiveRun(run.thread_id, holder[0]) from error

    return apply


def _replacing_run(statement: str, record: RunRecord, was: RunRecord, now: float) -> Statement:
    row = rows.run_row(record, now) | rows.fence(was)
    return _requiring_a_row(Stale(f"run {record.run.id}"), statement, row)


def _replacing(what: str, get: str, replace: str, row: rows.Row, is_unchanged: Callable[[bytes], bool]) -> Statement:
    """Compares values, not bytes: a release that adds a field with a default must still find rows unchanged."""

    def apply(connection: sqlite3.Connection) -> None:
        found = connection.execute(get, row).fetchone()
        if found is None or not is_unchanged(found[0]):
            raise Stale(what)
        connection.execute(replace, row)

    return apply


def _requiring_a_row(refusal: Exception, statement: str, row: rows.Row) -> Statement:
    def apply(connection: sqlite3.Connection) -> None:
        if connection.execute(statement, row).rowcount == 0:
            raise refusal

    return apply


def _is_orphaned(error: sqlite3.IntegrityError) -> bool:
    return error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
