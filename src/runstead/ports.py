"""The outside world on one page. Promises are stated here; an adapter says only what is peculiar to it."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Generic, Literal, Protocol, TypeAlias, TypeVar

from msgspec import Struct

from runstead.domain.attribute_filter import Attributes, Filter
from runstead.domain.change import Change
from runstead.domain.chunking import Chunk
from runstead.domain.errors import RunsteadError
from runstead.domain.file_writes import StoreFileRecord
from runstead.domain.records import RunRecord, StepRecord
from runstead.wire.assistants import Assistant
from runstead.wire.base import AssistantId, BatchId, FileId, MessageId, RunId, StepId, ThreadId, VectorStoreId
from runstead.wire.chat import ChatChunk, ChatRequest
from runstead.wire.events import StreamEvent
from runstead.wire.files import File
from runstead.wire.messages import Message
from runstead.wire.models import Model as ModelCard
from runstead.wire.run_steps import RunStep
from runstead.wire.runs import Run, RunStatus
from runstead.wire.threads import Thread
from runstead.wire.vector_stores import FileBatch, IngestionStatus, VectorStore, VectorStoreFile


class Clock(Protocol):
    """Unix seconds with fractions."""

    def now(self) -> float: ...


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

    async def close(self) -> None:
        """Finish what was accepted, then let go of everything."""


class Blobs(Protocol):
    """The contents of files, each under its file's id; written once and never changed. Any method may raise Unavailable."""

    async def put(self, id: str, pieces: AsyncIterator[bytes]) -> int:
        """Keep what comes, as it comes, and return its length once it would survive a power failure.

        Whatever the iterator raises is raised, and then nothing is kept.
        """

    async def get(self, id: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Open contents, from byte `start` until before byte `end`, to be read in pieces. Raises NoContents."""

    async def delete(self, id: str) -> None:
        """Remove contents, if they are there. Who reads them at the moment may read on."""

    def ids(self) -> AsyncIterator[Sequence[str]]:
        """Everything that is kept, some ids at a time, in no order."""

    async def clear_unfinished(self, untouched_for: float) -> None:
        """Remove what is left of puts whose process died; none that wrote within so many seconds."""


class NoContents(Exception):
    """Nothing is kept under that id, or not where this node can see it."""


class Bus(Protocol):
    """Who is told, and when; never the only holder of a fact."""

    async def offer(self, run_id: RunId) -> None:
        """Say that a run wants a worker. May be lost; may arrive twice."""

    def offers(self) -> AsyncIterator[RunId]:
        """Runs offered to this node, each to one node of all."""

    async def cancel(self, owner: str, run_id: RunId) -> None:
        """Tell an owner to look at one of its runs now. May be lost."""

    def cancels(self, owner: str) -> AsyncIterator[RunId]:
        """What `cancel` said to this owner, from the moment of the call on."""

    def emit(self, run_id: RunId, events: Sequence[StreamEvent]) -> None:
        """Publish events of a run, in order. Never waits for a reader."""

    async def history(self, run_id: RunId) -> list[StreamEvent]:
        """What is still kept of a run's events, oldest first."""

    def tail(self, run_id: RunId, after: tuple[int, int] | None) -> AbstractAsyncContextManager["Tail"]:
        """Read a run's events after a position, replay first, then live.

        With None reading starts at the next event to be emitted. From the moment the block is entered no event
        is missed without notice.
        """


class Tail(Protocol):
    """A reader's place in a run's events. It holds no events of its own, however slow the reader is."""

    async def next(self, timeout: float) -> Sequence[StreamEvent]:
        """All events that came since, at least one; empty after `timeout` seconds without any.

        Raises EventsLost if some were dropped before this reader saw them.
        """

    async def is_at_end(self) -> bool:
        """Whether nothing is kept that this reader has not seen."""


class EventsLost(Exception):
    """Events between a reader's position and the present are gone; the rows have their outcome."""


class BusStopped(EventsLost):
    """This node stops: its readers have to come back elsewhere, or later."""


class Model(Protocol):
    """Who writes the assistant's words."""

    def stream(self, request: ChatRequest) -> AsyncGenerator[Sequence[ChatChunk], None]:
        """Ask for a completion; yields what each read from the server held, in order.

        Retries what may be retried until a chunk says something. Raises ModelFailed with a sentence a person can act
        on; closing the iterator closes the connection at once. Ends only after the server said that it is done.
        """

    async def window(self, model: str) -> int:
        """How many tokens the model can take in and give out together."""

    async def list_models(self) -> list[ModelCard]:
        """What GET /models shows. Raises ModelFailed."""

    async def check(self) -> str:
        """One line on whether the model answers, for doctor and banner. Raises ModelFailed."""

    async def close(self) -> None:
        """Let go of connections and children."""


class CodeFile(Struct, frozen=True):
    """A file on its way into /mnt/data or out of it.

    `name` is its path below /mnt/data; `file_id` the stored file's id, None for what code has just made. `read` opens the
    contents anew at every call. With `is_output` it was made by code in an earlier call of the thread: it is put back,
    as an ordinary file, only where a session starts anew. Without, it is an original, which code can read and not change.
    """

    name: str
    file_id: str | None
    size: int
    read: Callable[[], AsyncIterator[bytes]]
    is_output: bool = False


class CodeOutcome(Struct, frozen=True):
    """What a call of the code interpreter came to. Everything in it was written by code that nobody vouches for.

    `logs` are standard output and error as they came, then the value of the last expression, then the traceback.
    `images` are PNG files shown inline, in order; `files` are what is new or changed in /mnt/data. Their contents stay
    readable as long as somebody holds them. `is_error`: the code raised, was stopped, or its process died.
    `is_fresh`: no variables of earlier calls were there. `notice` is told to the model beside the logs: that its
    variables are lost, that a limit was met, that a file was not kept; None if there is nothing to tell.
    """

    logs: str
    images: tuple[CodeFile, ...] = ()
    files: tuple[CodeFile, ...] = ()
    is_error: bool = False
    is_fresh: bool = False
    notice: str | None = None


class SandboxUnavailable(RunsteadError):
    """No code can be run here now; the sentence names the reason of each launcher, and the way out."""


class Sandbox(Protocol):
    """Where model-written Python runs: one session a thread, kept between calls, that nothing leaves unasked."""

    def paths(self, files: Sequence[CodeFile]) -> list[str]:
        """Where code finds each file, in order: /mnt/data/NAME, clashes resolved by name, id and order alone."""

    async def run(self, thread_id: str, code: str, files: Sequence[CodeFile], *, timeout: float) -> CodeOutcome:
        """Run code in the thread's session, with these files in place, for at most `timeout` seconds.

        `files` are all that the thread has, oldest first. Calls of one thread run one after the other. Cancelling the
        call interrupts the code at once; the session is kept if it obeys. Raises SandboxUnavailable, and nothing else:
        what code does wrong is an outcome.
        """

    async def release(self, thread_id: str) -> None:
        """End the thread's session, if there is one: its thread is gone."""

    async def describe(self) -> str:
        """What the model is told of the Python it gets: version, packages, limits. Raises SandboxUnavailable."""

    async def check(self) -> str:
        """One line on which launcher runs code and what it lacks, for doctor and banner. Raises SandboxUnavailable."""

    async def close(self) -> None:
        """End every session and leave nothing behind."""


class CodeFiles(Protocol):
    """The stored files that code reads, and where those that it makes are kept."""

    async def open(self, file_ids: Sequence[str]) -> list[CodeFile]:
        """The files in that order, under the names they were uploaded with; without those that are gone.

        Raises Unavailable.
        """

    async def keep(self, file: CodeFile) -> str:
        """Store what code has made, with purpose assistants_output; the new file's id. Raises Unavailable."""


class FoundPassage(Struct, frozen=True, kw_only=True):
    """A passage as the file search tool finds it; the score is from 0 to 1."""

    file_id: str
    file_name: str
    score: float
    text: str


class Library(Protocol):
    """The vector stores, as the file search tool needs them."""

    async def settle(self, store_id: str, timeout: float) -> None:
        """Wait until no file of a store is in progress any more, or for `timeout` seconds."""

    async def search(
        self, store_ids: Sequence[str], query: str, *, limit: int, score_threshold: float
    ) -> list[FoundPassage]:
        """The best passages of these stores together, best first. Raises ToolFailed: a store expired, no search."""


class Seat(Protocol):
    """Room for one run on this node, kept free until it is used or given back."""

    @property
    def owner(self) -> str: ...

    @property
    def lease_for(self) -> float: ...

    def start(self, record: RunRecord) -> None:
        """Drive a run that was claimed for this owner in a commit."""

    def give_back(self) -> None:
        """Free the room. Harmless after start."""


class Desk(Protocol):
    """Where the API asks whether this node can take a run it is about to create."""

    def take_seat(self) -> Seat | None:
        """Room for one run, or None if this node is full, stopping, or runs no worker."""


class Extractor(Protocol):
    """Takes the text out of files of all kinds, hostile ones among them."""

    async def extract(self, path: Path, filename: str) -> str:
        """The file's text: valid UTF-8 without U+0000, of a bounded length, with something in it.

        What a file holds counts for more than its name. Raises ExtractionFailed, with a sentence for who uploaded it.
        """


Vector: TypeAlias = bytes
"""Numbers of four bytes, the lowest first, of length one together."""


class Embedder(Protocol):
    """Makes vectors of texts: what means the same lies close together."""

    @property
    def name(self) -> str:
        """Which model makes the vectors, in words. Vectors of different names are never compared."""

    async def dimensions(self) -> int:
        """Numbers in a vector. Raises EmbeddingFailed."""

    async def embed_documents(self, texts: Sequence[str]) -> list[list[Vector]]:
        """For each text the vectors of its parts, at least one: a model reads only so much at once.

        Never blocks the loop, and gives way to queries. Raises EmbeddingFailed; then no text has vectors.
        """

    async def embed_query(self, text: str) -> Vector:
        """One vector, of the text's beginning if it is long. Raises EmbeddingFailed."""

    async def check(self) -> str:
        """One line on whether vectors can be had, for doctor and banner. Raises EmbeddingFailed."""

    async def close(self) -> None:
        """Let go of connections and children."""


class Passage(Struct, frozen=True):
    """A chunk and the vectors of its parts; none if the file is found by its words alone."""

    chunk: Chunk
    vectors: Sequence[Vector] = ()


class IndexedFile(Struct, frozen=True, kw_only=True):
    """All that an index holds of a store's file. `embedding` is the embedder's name, None without vectors."""

    store_id: str
    file_id: str
    attributes: Attributes
    embedding: str | None
    passages: Sequence[Passage]


class Query(Struct, frozen=True):
    """What is looked for, in words and as the vectors of the embedders that could be asked, by their names."""

    text: str
    vectors: Mapping[str, Vector] = {}


class Ranking(Struct, frozen=True, kw_only=True):
    """How the lists of the two kinds of search weigh, and how much a hit has to score."""

    embedding_weight: float = 1.0
    text_weight: float = 1.0
    score_threshold: float = 0.0


class Hit(Struct, frozen=True, kw_only=True):
    """A chunk that was found. What `score` means is said in docs/design/search.md; `position` counts a file's chunks."""

    store_id: str
    file_id: str
    position: int
    text: str
    score: float


class Index(Protocol):
    """Where chunks are found again, by what they mean and by their words. All of it can be made anew from the files.

    Any method may raise Unavailable.
    """

    async def put(self, file: IndexedFile) -> int:
        """Hold a file in place of what was held of it before, whole or not at all; how many bytes it takes.

        Returns once it would survive a power failure. Searches see the file as it was until then.
        """

    async def drop_file(self, store_id: str, file_id: str) -> None:
        """Forget a file. Harmless if there is none, as `drop_store` is."""

    async def drop_store(self, store_id: str) -> None:
        """Forget all files of a store."""

    async def set_attributes(self, store_id: str, file_id: str, attributes: Attributes) -> None:
        """Replace what filters see of a file, if it is held."""

    async def stores(self) -> list[str]:
        """The stores of which files are held."""

    async def held(self, store_id: str) -> dict[str, str | None]:
        """The files held of a store, each with the name of its embedding."""

    async def attributes(self, store_id: str) -> dict[str, dict[str, str | int | float | bool]]:
        """The files held of a store, each with what filters see of it."""

    async def contents(self, store_id: str, file_id: str) -> list[Chunk]:
        """A file's chunks in order; empty if it is not held."""

    async def search(
        self,
        store_ids: Sequence[str],
        queries: Sequence[Query],
        *,
        limit: int,
        filter: Filter | None = None,
        ranking: Ranking = Ranking(),  # noqa: B008 - it is frozen
    ) -> list[Hit]:
        """The best chunks of these stores together, best first, none twice; only of files the filter lets through.

        Every search sees each `put` that has returned. No words of a query mean anything to the engine.
        """

    async def check(self) -> str:
        """One line on what the index is and lacks, for doctor and banner."""

    async def close(self) -> None:
        """Finish what was accepted, then let go of everything."""


class Reranker(Protocol):
    """Reads query and text together, which judges better than two vectors and costs more."""

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """How well each text answers the query, from 0 to 1. Raises EmbeddingFailed."""

    async def close(self) -> None:
        """Let go of connections."""
