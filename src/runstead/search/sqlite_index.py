"""The index in a file of its own, so that indexing never waits for the writer of runs, nor that for indexing.

Words are FTS5's, ranked by BM25; vectors are compared one by one, in memory.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local
from typing import TypeVar

from msgspec.structs import replace

from runstead.domain.attribute_filter import Attributes, Filter
from runstead.domain.chunking import Chunk
from runstead.domain.errors import Unavailable
from runstead.ports import Hit, IndexedFile, Query, Ranking
from runstead.search import sqlite_reads, sqlite_writes
from runstead.search.matrix_cache import MatrixCache
from runstead.search.rank import DEPTH, Found, Listed, merge, weigh
from runstead.search.sqlite_reads import Scope
from runstead.search.sqlite_schema import open_reader, open_writer
from runstead.search.vector_matrix import Compared

T = TypeVar("T")

READERS = 2


class SqliteIndex:
    """One thread writes, two read: a search takes both, one for words and one for vectors. More would only warm more caches."""

    def __init__(self, path: Path, cache_bytes: int) -> None:
        self._path = path
        self._writing = ThreadPoolExecutor(1, "index-writer")
        self._reading = ThreadPoolExecutor(READERS, "index-reader")
        self._cache = MatrixCache(cache_bytes)
        self._writer: sqlite3.Connection | None = None
        self._readers = local()
        self._opened: list[sqlite3.Connection] = []

    @classmethod
    async def open(cls, path: Path, *, cache_bytes: int) -> "SqliteIndex":
        """Raises Unavailable if there can be no such file."""
        index = cls(path, cache_bytes)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            await index._write(lambda _: 0)
        except OSError as error:
            await index.close()
            raise Unavailable(f"The search index {path} cannot be opened: {error.strerror}.") from error
        except Unavailable:
            await index.close()
            raise
        return index

    async def put(self, file: IndexedFile) -> int:
        return await self._write(lambda connection: sqlite_writes.put(connection, file))

    async def drop_file(self, store_id: str, file_id: str) -> None:
        await self._write(lambda connection: sqlite_writes.drop_file(connection, store_id, file_id))

    async def drop_store(self, store_id: str) -> None:
        gone = await self._write(lambda connection: sqlite_writes.drop_store(connection, store_id))
        if gone is not None:
            self._cache.forget_store(gone)

    async def set_attributes(self, store_id: str, file_id: str, attributes: Attributes) -> None:
        await self._write(lambda connection: sqlite_writes.set_attributes(connection, store_id, file_id, attributes))

    async def stores(self) -> list[str]:
        return await self._read(sqlite_reads.stores)

    async def held(self, store_id: str) -> dict[str, str | None]:
        return await self._read(lambda connection: sqlite_reads.held(connection, store_id))

    async def attributes(self, store_id: str) -> dict[str, dict[str, str | int | float | bool]]:
        return await self._read(lambda connection: sqlite_reads.attributes(connection, store_id))

    async def contents(self, store_id: str, file_id: str) -> list[Chunk]:
        return await self._read(lambda connection: sqlite_reads.contents(connection, store_id, file_id))

    async def search(
        self,
        store_ids: Sequence[str],
        queries: Sequence[Query],
        *,
        limit: int,
        filter: Filter | None = None,
        ranking: Ranking = Ranking(),  # noqa: B008 - it is frozen
    ) -> list[Hit]:
        asked = list(dict.fromkeys(store_ids))
        scope = await self._read(lambda connection: sqlite_reads.scope_of(connection, asked, filter))
        found = await asyncio.gather(*(self._search_one(scope, query, ranking) for query in queries))
        best = weigh(found, ranking)[:limit]
        return await self._read(lambda connection: sqlite_reads.hits(connection, best))

    async def _search_one(self, scope: Scope, query: Query, ranking: Ranking) -> Found:
        words, compared = await self._look(scope, query, ranking)
        found = Found(
            words,
            merge([each.top(scope.files, DEPTH) for each in compared]),
            {key: cosine for each in compared for key, cosine in each.cosines(key for key, _ in words).items()},
        )
        if found.has_vectors or not words:
            return found
        strongest = words[0][0]
        share = await self._read(lambda connection: sqlite_reads.share(connection, query, strongest))
        return replace(found, share=share)

    async def _look(self, scope: Scope, query: Query, ranking: Ranking) -> tuple[Listed, list[Compared]]:
        """What words find, and what vectors do: at the same time, by two threads."""

        async def by_words() -> Listed:
            return await self._read(lambda connection: sqlite_reads.by_words(connection, scope, query))

        async def by_vectors() -> list[Compared]:
            return await self._read(lambda connection: sqlite_reads.by_vectors(connection, self._cache, scope, query))

        if ranking.text_weight <= 0:
            return [], await by_vectors()
        if ranking.embedding_weight <= 0:
            return await by_words(), []
        words, vectors = await asyncio.gather(by_words(), by_vectors())
        return words, vectors

    async def check(self) -> str:
        files, chunks = await self._read(sqlite_reads.size)
        return f"{self._path.name} holds {files} files in {chunks} chunks; vectors are compared one by one"

    async def close(self) -> None:
        for executor in (self._writing, self._reading):
            await asyncio.to_thread(executor.shutdown)
        for connection in [*self._opened, self._writer]:
            if connection is not None:
                connection.close()
        self._writer = None
        self._opened.clear()

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def write() -> T:
            if self._writer is None:
                self._writer = open_writer(self._path)
            with sqlite_writes.transaction(self._writer):
                return work(self._writer)

        return await self._run(self._writing, write)

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def read() -> T:
            connection: sqlite3.Connection | None = getattr(self._readers, "connection", None)
            if connection is None:
                connection = self._readers.connection = open_reader(self._path)
                self._opened.append(connection)
            return work(connection)

        return await self._run(self._reading, read)

    async def _run(self, executor: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            future = asyncio.get_running_loop().run_in_executor(executor, work)
        except RuntimeError:
            raise Unavailable("The search index is closed.") from None
        try:
            # What was begun is finished, whoever stops waiting for it.
            return await asyncio.shield(future)
        except sqlite3.Error as error:
            raise Unavailable(f"The search index does not answer: {error}.") from error
