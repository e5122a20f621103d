"""Where truth is kept, and how it is asked."""

from collections.abc import Iterable, Mapping
from typing import Generic, Literal, Protocol, TypeVar

from msgspec import Struct

from runstead.domain.change import Change
from runstead.domain.code_sessions import CodeSession
from runstead.domain.file_writes import StoreFileRecord
from runstead.domain.keyed_requests import KeyedRequest
from runstead.domain.records import RunRecord, StepRecord
from runstead.wire.assistants import Assistant
from runstead.wire.base import AssistantId, BatchId, FileId, MessageId, RunId, StepId, ThreadId, VectorStoreId
from runstead.wire.files import File
from runstead.wire.messages import Message
from runstead.wire.run_steps import RunStep
from runstead.wire.runs import Run, RunStatus
from runstead.wire.threads import Thread
from runstead.wire.vector_stores import FileBatch, IngestionStatus, VectorStore, VectorStoreFile


class PageRequest(Struct, frozen=True):
    """Which page of a list; cursors are exclusive ids. Order is that of creation, ties never move."""

    limit: int = 20
    order: Literal["asc", "desc"] = "desc"
    after: str | None = None
    before: str | None = None


T = TypeVar("T")


class Page(Struct, Generic[T], frozen=True):
    """Items in the asked order, and whether more follow them."""

    items: list[T]
    has_more: bool


class Snapshot(Struct, frozen=True):
    """All that a run's driver needs to decide, read at one moment.

    `steps` are the run's own, oldest first. `messages` are the thread's newest, oldest first, as many as
    fit the asked number of bytes (at least one); `older` tells how many were not read. `earlier_steps` are
    the completed tool_calls steps of the thread's other runs and the message steps beside them, which tell the
    order of calls and words, oldest first, within the same number of bytes.
    """

    record: RunRecord
    steps: list[StepRecord]
    messages: list[Message]
    older: int
    earlier_steps: list[StepRecord]


class Store(Protocol):
    """Where truth is kept. Every read sees every commit that was acknowledged before it.

    Any method may raise Unavailable.
    """

    async def commit(self, change: Change) -> None:
        """Apply all writes of a change in order, durably, or none of them.

        Raises the refusals that `domain.change` names per write. Returns only once the change would
        survive a power failure. Unavailable means that it was not done or, if the database was out of reach at the
        wrong moment, that nobody knows. To try the same change again does no harm: if it was done, it is refused
        or changes nothing.
        """

    async def get_assistant(self, id: AssistantId) -> Assistant:
        """Raises NotFound."""

    async def page_assistants(self, page: PageRequest) -> Page[Assistant]:
        """Raises UnknownCursor, as every page_ method does."""

    async def get_thread(self, id: ThreadId) -> Thread:
        """Raises NotFound."""

    async def page_threads(self, page: PageRequest, metadata: Mapping[str, str]) -> Page[Thread]:
        """Threads whose metadata has all the given pairs."""

    async def get_message(self, thread_id: ThreadId, id: MessageId) -> Message:
        """Raises NotFound for the thread, then for the message."""

    async def page_messages(self, thread_id: ThreadId, page: PageRequest, run_id: str | None = None) -> Page[Message]:
        """Raises NotFound for the thread."""

    async def get_run(self, thread_id: ThreadId, id: RunId) -> RunRecord:
        """Raises NotFound for the thread, then for the run."""

    async def find_run(self, id: RunId) -> RunRecord | None:
        """The run whatever its thread, or None."""

    async def runs_under_way(self, ids: Iterable[RunId]) -> set[RunId]:
        """Those of the runs that neither rest nor are gone, asked for in one statement."""

    async def find_active_run(self, thread_id: ThreadId) -> RunRecord | None:
        """The run that holds the thread's lock, or None."""

    async def page_runs(self, thread_id: ThreadId, page: PageRequest) -> Page[Run]:
        """Raises NotFound for the thread."""

    async def get_step(self, thread_id: ThreadId, run_id: RunId, id: StepId) -> RunStep:
        """Raises NotFound for the thread, the run, the step."""

    async def page_steps(self, thread_id: ThreadId, run_id: RunId, page: PageRequest) -> Page[RunStep]:
        """Raises NotFound for the thread, then for the run."""

    async def list_steps(self, run_id: RunId) -> list[StepRecord]:
        """All steps of a run, oldest first."""

    async def snapshot(self, run_id: RunId, max_bytes: int) -> Snapshot | None:
        """What a driver needs, or None if the run is gone."""

    async def renew(self, owner: str, lease_until: float) -> dict[RunId, tuple[int, RunStatus]]:
        """Prolong every lease of an owner in one statement; the runs it still holds, with epoch and status.

        No lease becomes shorter.
        """

    async def find_code_sessions(self, thread_ids: Iterable[ThreadId]) -> dict[ThreadId, CodeSession]:
        """What is noted of the code sessions of those threads that ever had one."""

    async def renew_code_sessions(self, owner: str, lease_until: float) -> dict[ThreadId, int]:
        """Prolong the lease of every code session of an owner in one statement; those it still has, by generation.

        No lease becomes shorter.
        """

    async def find_keyed_request(self, key: str, now: float) -> KeyedRequest | None:
        """What the key was used for, or None if it is unknown or forgotten."""

    async def due(self, now: float, waiting_since: float, limit: int) -> list[RunRecord]:
        """Runs nobody works on though somebody should, oldest first.

        These are: queued runs created or requeued before `waiting_since`, in_progress and cancelling runs whose
        lease ended before `now`, and every run not ended whose deadline passed before `now` and that no live
        lease covers.
        """

    async def next_deadline(self) -> float | None:
        """The earliest deadline of a run that has not ended, or None."""

    async def contents_name(self) -> str:
        """Under which name this database keeps the contents of its files; no other database has it."""

    async def get_file(self, id: FileId) -> File:
        """Raises NoFile."""

    async def page_files(self, page: PageRequest, purpose: str | None = None) -> Page[File]:
        """All files, or those of one purpose."""

    async def known_files(self, ids: Iterable[str]) -> set[str]:
        """Those of the ids that are files."""

    async def find_files(self, ids: Iterable[str]) -> list[File]:
        """Those of these files that are there, in any order."""

    async def expired_files(self, now: float, limit: int) -> list[File]:
        """Files whose time is over, the longest expired first."""

    async def holders_of(self, file_id: FileId) -> list[str]:
        """Ids of assistants and threads that gave the file to the code interpreter; some may have taken it back."""

    async def get_vector_store(self, id: VectorStoreId) -> VectorStore:
        """With what its files add up to; an expired one is shown as if it were not. Raises NotFound."""

    async def page_vector_stores(self, page: PageRequest) -> Page[VectorStore]:
        """As get_vector_store has them."""

    async def get_store_file(self, vector_store_id: VectorStoreId, file_id: FileId) -> StoreFileRecord:
        """Raises NotFound for the store, then for the file."""

    async def find_store_files(self, vector_store_id: VectorStoreId, ids: Iterable[str]) -> list[StoreFileRecord]:
        """Those of these files that are in a store, in any order; none if there is no such store."""

    async def page_store_files(
        self, vector_store_id: VectorStoreId, page: PageRequest, status: IngestionStatus | None = None
    ) -> Page[VectorStoreFile]:
        """All files of a store, or those in one status. Raises NotFound for the store."""

    async def get_file_batch(self, vector_store_id: VectorStoreId, id: BatchId) -> FileBatch:
        """Raises NotFound for the store, then for the batch."""

    async def page_batch_files(
        self, vector_store_id: VectorStoreId, id: BatchId, page: PageRequest, status: IngestionStatus | None = None
    ) -> Page[VectorStoreFile]:
        """Those files of a store that last came with this batch. Raises NotFound for the store, then for the batch."""

    async def unfinished_files(self, now: float, limit: int) -> list[StoreFileRecord]:
        """Store files that are to be ingested and that no live lease covers, oldest first."""

    async def count_unfinished_files(self) -> int:
        """How many store files are in progress, whether somebody reads them now or not."""

    async def close(self) -> None:
        """Finish what was accepted, then let go of everything."""
