"""A store of files, and nodes that read them: the real stores and indexes, with parsers and embedders that tests play."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from runstead.bus.local import LocalBus
from runstead.domain.change import Change
from runstead.domain.errors import EmbeddingFailed, ExtractionFailed
from runstead.domain.file_writes import InsertFile, InsertVectorStore, StoreFileRecord
from runstead.executor.index_keeper import IndexKeeper
from runstead.executor.ingester import Ingester
from runstead.executor.ingestion import Means
from runstead.executor.worker import LeaseTimes
from runstead.journal import Journal
from runstead.ports import Blobs, Embedder, Index, Query, Store, Vector
from runstead.wire.files import File
from runstead.wire.vector_stores import VectorStore
from tests.contract.file_samples import a_file, a_store, adding
from tests.contract.samples import SetClock, change

PATIENCE = 20.0
TIMES = LeaseTimes(lease_for=6.0, renew_every=0.02, trust_for=60.0)


async def eventually(look: Callable[[], Awaitable[object]]) -> None:
    until = time.monotonic() + PATIENCE
    while not await look():
        assert time.monotonic() < until, "it never came true"
        await asyncio.sleep(0.005)


class Gate:
    """A moment at which whoever comes waits until it is let go."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()
        self.left = asyncio.Event()

    async def passed(self) -> None:
        self.reached.set()
        try:
            await self.opened.wait()
        finally:
            self.left.set()


@dataclass
class PlayedExtractor:
    """Reads contents as UTF-8. By file name a test puts a gate before it, or an error in its place."""

    gates: dict[str, Gate] = field(default_factory=dict)
    failures: dict[str, Exception] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)

    def holds(self, name: str) -> Gate:
        self.gates[name] = Gate()
        return self.gates[name]

    async def extract(self, path: Path, filename: str) -> str:
        self.read.append(filename)
        if filename in self.gates:
            await self.gates[filename].passed()
        if filename in self.failures:
            raise self.failures[filename]
        return await asyncio.to_thread(path.read_text)


class PlayedEmbedder:
    """Vectors by the letters of a text; out of reach when a test says so."""

    def __init__(self, name: str = "letters") -> None:
        self._name = name
        self.is_down = False
        self.embedded: list[str] = []

    @property
    def name(self) -> str:
        return self._name

    async def dimensions(self) -> int:
        return 27

    async def embed_documents(self, texts: Sequence[str]) -> list[list[Vector]]:
        vectors = [[self._vector(text)] for text in texts]
        self.embedded += texts
        return vectors

    async def embed_query(self, text: str) -> Vector:
        return self._vector(text)

    def _vector(self, text: str) -> Vector:
        if self.is_down:
            raise EmbeddingFailed("the embeddings server is down")
        numbers = np.full(27, 0.01)
        for letter in text.lower():
            numbers[ord(letter) - 96 if "a" <= letter <= "z" else 0] += 1
        return (numbers / np.linalg.norm(numbers)).astype("<f4").tobytes()

    async def check(self) -> str:
        return "letters"

    async def close(self) -> None:
        return


class Place:
    """What nodes share, and what a test asks of it."""

    def __init__(self, store: Store, blobs: Blobs, index: Index, clock: SetClock, *, embeds: bool = True) -> None:
        self.store = store
        self.blobs = blobs
        self.index = index
        self.clock = clock
        self.extractor = PlayedExtractor()
        self.embedder = PlayedEmbedder()
        asked: Embedder | None = self.embedder if embeds else None
        self.means = Means(store, blobs, self.extractor, asked, index)
        self.vector_store = a_store()

    async def uploaded(self, name: str, text: str = "The lighthouse keeper counts ships.") -> File:
        file = a_file(filename=name, bytes=len(text.encode()))

        async def pieces() -> AsyncIterator[bytes]:
            yield text.encode()

        await self.blobs.put(file.id, pieces())
        await self.store.commit(change(InsertFile(file)))
        return file

    async def add(self, *names: str, node: "Node | None" = None, **fields: Any) -> list[File]:
        """Files in the store of this place, told of by a node or, without one, by nobody."""
        files = [await self.uploaded(name) for name in names]
        made = change(adding(self.vector_store, *files, **fields))
        await (self.store.commit(made) if node is None else node.journal.commit(made))
        return files

    async def record(self, file: File) -> StoreFileRecord:
        return await self.store.get_store_file(self.vector_store.id, file.id)

    async def status(self, file: File) -> str:
        return (await self.record(file)).file.status

    async def becomes(self, file: File, status: str) -> StoreFileRecord:
        async def look() -> bool:
            return await self.status(file) == status

        await eventually(look)
        return await self.record(file)

    async def released(self, file: File) -> StoreFileRecord:
        """Its record, once nobody reads it."""

        async def look() -> bool:
            return (await self.record(file)).owner is None

        await eventually(look)
        return await self.record(file)

    async def found(self, words: str, store: VectorStore | None = None) -> list[str]:
        """Ids of the files that words lead to."""
        at = (store or self.vector_store).id
        return [hit.file_id for hit in await self.index.search([at], [Query(words)], limit=10)]


class Node:
    """An ingester with a journal of its own; in its block it works."""

    def __init__(self, place: Place, owner: str = "node_a", times: LeaseTimes = TIMES) -> None:
        self.journal = Journal(place.store, LocalBus())
        self.ingester = Ingester(place.means, self.journal, place.clock, owner=owner, times=times)
        self.keeper = IndexKeeper(place.means)
        self.journal.tell(self.ingester.committed)
        self.journal.tell(self.keeper.committed)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self.ingester.keep()), asyncio.create_task(self.keeper.follow())]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task


def empty_store(place: Place) -> Change:
    return change(InsertVectorStore(place.vector_store))


def unreadable(name: str = "bad.pdf") -> tuple[str, ExtractionFailed]:
    return name, ExtractionFailed("invalid_file", "The file is damaged.")
