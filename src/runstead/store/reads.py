"""The reading half of the Store, but for the snapshot: what is asked, and what an empty answer means."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from runstead.domain.code_sessions import CodeSession
from runstead.domain.errors import NotFound
from runstead.domain.keyed_requests import KeyedRequest
from runstead.domain.records import RunRecord, StepRecord
from runstead.ports import Page, PageRequest
from runstead.store import rows, statements
from runstead.store.file_reads import FileReads
from runstead.store.rows import Row
from runstead.store.statements import Listing
from runstead.wire.assistants import Assistant
from runstead.wire.base import AssistantId, MessageId, RunId, StepId, ThreadId
from runstead.wire.messages import Message
from runstead.wire.run_steps import RunStep
from runstead.wire.runs import Run
from runstead.wire.threads import Thread


class SqlReads(FileReads):
    """What an adapter that says how one statement is asked can read."""

    threads_with_metadata: Listing

    async def get_assistant(self, id: AssistantId) -> Assistant:
        return rows.decode_assistant(
            (await self._get(statements.GET_ASSISTANT, NotFound("assistant", id), {"id": id}))[0]
        )

    async def page_assistants(self, page: PageRequest) -> Page[Assistant]:
        found, has_more = await self._page(statements.ASSISTANTS, page, {})
        return Page([rows.decode_assistant(row[0]) for row in found], has_more)

    async def get_thread(self, id: ThreadId) -> Thread:
        return rows.decode_thread((await self._get(statements.GET_THREAD, NotFound("thread", id), {"id": id}))[0])

    async def page_threads(self, page: PageRequest, metadata: Mapping[str, str]) -> Page[Thread]:
        if metadata:
            wanted = rows.encode(dict(metadata)).decode()
            found, has_more = await self._page(self.threads_with_metadata, page, {"metadata": wanted})
        else:
            found, has_more = await self._page(statements.THREADS, page, {})
        return Page([rows.decode_thread(row[0]) for row in found], has_more)

    async def get_message(self, thread_id: ThreadId, id: MessageId) -> Message:
        scope = {"id": id, "thread_id": thread_id}
        return rows.decode_message(
            (await self._get_in_thread(statements.GET_MESSAGE, NotFound("message", id), scope))[0]
        )

    async def page_messages(self, thread_id: ThreadId, page: PageRequest, run_id: str | None = None) -> Page[Message]:
        listing = statements.MESSAGES if run_id is None else statements.MESSAGES_OF_RUN
        await self._require_thread(thread_id)
        found, has_more = await self._page(listing, page, {"thread_id": thread_id, "run_id": run_id})
        return Page([rows.decode_message(row[0]) for row in found], has_more)

    async def get_run(self, thread_id: ThreadId, id: RunId) -> RunRecord:
        scope = {"id": id, "thread_id": thread_id}
        return rows.run_record_of(await self._get_in_thread(statements.GET_RUN, NotFound("run", id), scope))

    async def find_run(self, id: RunId) -> RunRecord | None:
        row = await self.find_row(statements.FIND_RUN, {"id": id})
        return None if row is None else rows.run_record_of(row)

    async def runs_under_way(self, ids: Iterable[RunId]) -> set[RunId]:
        wanted = rows.encode(list(ids)).decode()
        return {row[0] for row in await self.all_rows(statements.RUNS_UNDER_WAY, {"ids": wanted})}

    async def find_active_run(self, thread_id: ThreadId) -> RunRecord | None:
        row = await self.find_row(statements.FIND_ACTIVE_RUN, {"thread_id": thread_id})
        return None if row is None else rows.run_record_of(row)

    async def page_runs(self, thread_id: ThreadId, page: PageRequest) -> Page[Run]:
        await self._require_thread(thread_id)
        found, has_more = await self._page(statements.RUNS, page, {"thread_id": thread_id})
        return Page([rows.run_of(row) for row in found], has_more)

    async def get_step(self, thread_id: ThreadId, run_id: RunId, id: StepId) -> RunStep:
        row = await self.find_row(statements.GET_STEP, {"id": id, "run_id": run_id, "thread_id": thread_id})
        if row is None:
            await self._require_run(thread_id, run_id)
            raise NotFound("run step", id)
        return rows.decode_step(row[0])

    async def page_steps(self, thread_id: ThreadId, run_id: RunId, page: PageRequest) -> Page[RunStep]:
        await self._require_run(thread_id, run_id)
        found, has_more = await self._page(statements.STEPS, page, {"run_id": run_id})
        return Page([rows.decode_step(row[0]) for row in found], has_more)

    async def list_steps(self, run_id: RunId) -> list[StepRecord]:
        return [rows.step_record_of(row) for row in await self.all_rows(statements.LIST_STEPS, {"run_id": run_id})]

    async def due(self, now: float, waiting_since: float, limit: int) -> list[RunRecord]:
        found = await self.all_rows(statements.DUE_RUNS, {"now": now, "waiting_since": waiting_since, "limit": limit})
        return [rows.run_record_of(row) for row in found]

    async def next_deadline(self) -> float | None:
        row = await self.find_row(statements.NEXT_DEADLINE, {})
        return None if row is None else row[0]

    async def find_code_sessions(self, thread_ids: Iterable[ThreadId]) -> dict[ThreadId, CodeSession]:
        wanted = rows.encode(list(thread_ids)).decode()
        found = await self.all_rows(statements.FIND_CODE_SESSIONS, {"ids": wanted})
        return {thread_id: CodeSession(*session) for thread_id, *session in found}

    async def find_keyed_request(self, key: str, now: float) -> KeyedRequest | None:
        row = await self.find_row(statements.FIND_REQUEST, {"key": key, "at": int(now)})
        return None if row is None else KeyedRequest(row[0], msgspec.json.decode(row[1], type=dict[str, str]))

    async def _get_in_thread(self, statement: str, refusal: NotFound, row: Row) -> Sequence[Any]:
        """Whether the thread is there is asked only of who found nothing in it."""
        found = await self.find_row(statement, row)
        if found is None:
            await self._require_thread(row["thread_id"])
            raise refusal
        return found

    async def _require_thread(self, id: str) -> None:
        await self._get(statements.GET_THREAD, NotFound("thread", id), {"id": id})

    async def _require_run(self, thread_id: str, id: str) -> None:
        await self._get_in_thread(statements.GET_RUN, NotFound("run", id), {"id": id, "thread_id": thread_id})
