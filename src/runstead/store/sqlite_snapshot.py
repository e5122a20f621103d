"""What a run's driver needs, read in one transaction so that no commit falls between its parts."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from runstead.ports import Snapshot
from runstead.store import rows, statements
from runstead.wire.base import RunId
from runstead.wire.messages import Message

T = TypeVar("T")


def read_snapshot(connection: sqlite3.Connection, run_id: RunId, max_bytes: int) -> Snapshot | None:
    """The caller has begun a transaction."""
    row = connection.execute(statements.FIND_RUN, {"id": run_id}).fetchone()
    if row is None:
        return None
    record = rows.run_record_of(row)
    scope = {"run_id": run_id, "thread_id": record.run.thread_id}
    steps = connection.execute(statements.LIST_STEPS, scope).fetchall()
    messages, oldest = _newest(connection.execute(statements.NEWEST_MESSAGES, scope), _message, max_bytes)
    older = 0
    if oldest is not None:
        older = connection.execute(statements.COUNT_OLDER_MESSAGES, {**scope, "seq": oldest}).fetchone()[0]
    earlier, _ = _newest(connection.execute(statements.NEWEST_EARLIER_STEPS, scope), rows.step_record_of, max_bytes)
    return Snapshot(record, [rows.step_record_of(step) for step in steps], messages, older, earlier)


def _newest(found: sqlite3.Cursor, decode: Callable[[Sequence[Any]], T], max_bytes: int) -> tuple[list[T], int | None]:
    """As many as fit, at least one, oldest first; and the place of the oldest.

    `found` yields (seq, body, …), newest first, and is read no further than needed.
    """
    kept: list[Sequence[Any]] = []
    oldest: int | None = None
    total = 0
    for seq, *columns in found:
        total += len(columns[0])
        if kept and total > max_bytes:
            break
        kept.append(columns)
        oldest = seq
    found.close()
    return [decode(columns) for columns in reversed(kept)], oldest


def _message(columns: Sequence[Any]) -> Message:
    return rows.decode_message(columns[0])
