"""The reading half of the Store over SQLite: on the loop's thread, because a hand-over costs more than a read."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from runstead.domain.errors import NotFound, Unavailable
from runstead.domain.records import RunRecord, StepRecord
from runstead.ports import Page, PageRequest, Snapshot
from runstead.store import rows, statements
from runstead.store.rows import Row
from runstead.store.sqlite_pages import read_page
from runstead.store.sqlite_snapshot import read_snapshot
from runstead.store.statements import Listing
from runstead.wire.assistants import Assistant
from runstead.wire.base import AssistantId, MessageId, RunId, StepId, ThreadId
from runstead.wire.messages import Message
from runstead.wire.run_steps import RunStep
from runstead.wire.runs import Run
from runstead.wire.threads import Thread


class SqliteReads:
    """Every read opens and closes its own view of the database, so it sees all that was committed before."""

    def __init__(self, reader: sqlite3.Connection) -> None:
        self._reader = reader

    async def get_assistant(self, id: AssistantId) -> Assistant:
        return rows.decode_assistant(self._get(statements.GET_ASSISTANT, NotFound("assistant", id), {"id": id})[0])

    async def page_assistants(self, page: PageRequest) -> Page[Assistant]:
        found, has_more = self._page(statements.ASSISTANTS, page, {})
        return Page([rows.decode_assistant(row[0]) for row in found], has_more)

    async def get_thread(self, id: ThreadId) -> Thread:
        return rows.decode_thread(self._get(statements.GET_THREAD, NotFound("thread", id), {"id": id})[0])

    async def page_threads(self, page: PageRequest, metadata: Mapping[str, str]) -> Page[Thread]:
        if metadata:
            wanted = rows.encode(dict(metadata)).decode()
            found, has_more = self._page(statements.THREADS_WITH_METADATA, page, {"metadata": wanted})
        else:
            found, has_more = self._page(statements.THREADS, page, {})
        return Page([rows.decode_thread(row[0]) for row in found], has_more)

    async def get_message(self, thread_id: ThreadId, id: MessageId) -> Message:
        scope = {"id": id, "thread_id": thread_id}
        return rows.decode_message(self._get_in_thread(statements.GET_MESSAGE, NotFound("message", id), scope)[0])

    async def page_messages(self, thread_id: ThreadId, page: PageRequest, run_id: str | None = None) -> Page[Message]:
        listing = statements.MESSAGES if run_id is None else statements.MESSAGES_OF_RUN
        self._require_thread(thread_id)
        found, has_more = self._page(listing, page, {"thread_id": thread_id, "run_id": run_id})
        return Page([rows.decode_message(row[0]) for row in found], has_more)

    async def get_run(self, thread_id: ThreadId, id: RunId) -> RunRecord:
        scope = {"id": id, "thread_id": thread_id}
        return rows.run_record_of(self._get_in_thread(statements.GET_RUN, NotFound("run", id), scope))

    async def find_run(self, id: RunId) -> RunRecord | None:
        row = self._find(statements.FIND_RUN, {"id": id})
        return None if row is None else rows.run_record_of(row)

    async def find_active_run(self, thread_id: ThreadId) -> RunRecord | None:
        row = self._find(statements.FIND_ACTIVE_RUN, {"thread_id": thread_id})
        return None if row is None else rows.run_record_of(row)

    async def page_runs(self, thread_id: ThreadId, page: PageRequest) -> Page[Run]:
        self._require_thread(thread_id)
        found, has_more = self._page(statements.RUNS, page, {"thread_id": thread_id})
        return Page([rows.run_of(row) for row in found], has_more)

    async def get_step(self, thread_id: ThreadId, run_id: RunId, id: StepId) -> RunStep:
        row = self._find(statements.GET_STEP, {"id": id, "run_id": run_id, "thread_id": thread_id})
        if row is None:
            self._require_run(thread_id, run_id)
            raise NotFound("run step", id)
        return rows.decode_step(row[0])

    async def page_steps(self, thread_id: ThreadId, run_id: RunId, page: PageRequest) -> Page[RunStep]:
        self._require_run(thread_id, run_id)
        found, has_more = self._page(statements.STEPS, page, {"run_id": run_id})
        return Page([rows.decode_step(row[0]) for row in found], has_more)

    async def list_steps(self, run_id: RunId) -> list[StepRecord]:
        return [rows.step_record_of(row) for row in self._all(statements.LIST_STEPS, {"run_id": run_id})]

    async def snapshot(self, run_id: RunId, max_bytes: int) -> Snapshot | None:
        with _answering(), self._moment() as connection:
            return read_snapshot(connection, run_id, max_bytes)

    async def due(self, now: float, waiting_since: float, limit: int) -> list[RunRecord]:
        found = self._all(statements.DUE_RUNS, {"now": now, "waiting_since": waiting_since, "limit": limit})
        return [rows.run_record_of(row) for row in found]

    async def next_deadline(self) -> float | None:
        row = self._find(statements.NEXT_DEADLINE, {})
        return None if row is None else row[0]

    def _find(self, statement: str, row: Row) -> tuple[Any, ...] | None:
        with _answering():
            found: tuple[Any, ...] | None = self._reader.execute(statement, row).fetchone()
            return found

    def _all(self, statement: str, row: Row) -> list[tuple[Any, ...]]:
        with _answering():
            return self._reader.execute(statement, row).fetchall()

    def _page(self, listing: Listing, page: PageRequest, scope: Row) -> tuple[list[tuple[Any, ...]], bool]:
        with _answering():
            return read_page(self._reader, listing, page, scope)

    def _get(self, statement: str, refusal: NotFound, row: Row) -> tuple[Any, ...]:
        found = self._find(statement, row)
        if found is None:
            raise refusal
        return found

    def _get_in_thread(self, statement: str, refusal: NotFound, row: Row) -> tuple[Any, ...]:
        """Whether the thread is there is asked only of who found nothing in it."""
        found = self._find(statement, row)
        if found is None:
            self._require_thread(row["thread_id"])
            raise refusal
        return found

    def _require_thread(self, id: str) -> None:
        self._get(statements.GET_THREAD, NotFound("thread", id), {"id": id})

    def _require_run(self, thread_id: str, id: str) -> None:
        self._get_in_thread(statements.GET_RUN, NotFound("run", id), {"id": id, "thread_id": thread_id})

    @contextmanager
    def _moment(self) -> Iterator[sqlite3.Connection]:
        """Several statements that see the same commits."""
        self._reader.execute("BEGIN")
        try:
            yield self._reader
        finally:
            self._reader.execute("ROLLBACK")


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise Unavailable(f"The database cannot be read: {error}.") from error
