"""The index in PostgreSQL: vectors by pgvector's HNSW, words by a GIN index over tsvector.

Without pgvector vectors are numbers in a column, and compared one by one in memory.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import msgspec
import numpy as np

from runstead.domain.attribute_filter import Attributes, Filter
from runstead.domain.chunking import Chunk
from runstead.domain.errors import Unavailable
from runstead.ports import Hit, IndexedFile, Query, Ranking
from runstead.search import postgres_reads, postgres_writes
from runstead.search.postgres_exact import ExactSearch
from runstead.search.postgres_reads import Near, Scope
from runstead.search.postgres_schema import Connection, make_index, prepare
from runstead.search.postgres_words import CommonWords, by_words
from runstead.search.rank import Found, merge, weigh

EXACT_BELOW = 5_000
"""Windows of which each is compared: as fast as the index, and misses nothing."""
CLOSE_WITHIN = 0.7
"""Seconds."""
CONNECTIONS = 4
# HNSW looks at this many neighbours at least; and goes on when a filter leaves too few of them.
_TUNING = ("SET hnsw.ef_search = 200", "SET hnsw.iterative_scan = relaxed_order")
_TROUBLE = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)


class PostgresIndex:
    """Any node may change it: nothing is remembered here but what can be checked against a version."""

    def __init__(
        self, pool: "asyncpg.Pool[asyncpg.Record]", cache_bytes: int, exact_below: int, *, has_pgvector: bool
    ) -> None:
        self._pool = pool
        self._exact_below = exact_below
        self._has_pgvector = has_pgvector
        self._exact = ExactSearch(cache_bytes)
        self._common = CommonWords()
        self._indexed: set[int] = set()

    @classmethod
    async def open(
        cls, url: str, *, cache_bytes: int, wants_pgvector: bool = True, exact_below: int = EXACT_BELOW
    ) -> "PostgresIndex":
        """Raises Unavailable."""
        try:
            connection = await asyncpg.connect(url, timeout=10.0)
            try:
                has_pgvector = await prepare(connection, wants_pgvector=wants_pgvector)
            finally:
                await connection.close()
            pool = await asyncpg.create_pool(
                url,
                min_size=0,
                max_size=CONNECTIONS,
                init=_introduce_pgvector if has_pgvector else _introduce,
                # By default what was set would be forgotten after each use.
                reset=_leave_as_it_is,
                timeout=10.0,
                command_timeout=60.0,
            )
        except _TROUBLE as error:
            raise _unavailable(error) from error
        assert pool is not None
        return cls(pool, cache_bytes, exact_below, has_pgvector=has_pgvector)

    async def put(self, file: IndexedFile) -> int:
        dimensions = {len(vector) // 4 for passage in file.passages for vector in passage.vectors}
        async with self._connection() as connection:
            for missing in dimensions - self._indexed if self._has_pgvector else ():
                await make_index(connection, missing)
                self._indexed.add(missing)
            async with connection.transaction():
                return await postgres_writes.put(connection, file, with_pgvector=self._has_pgvector)

    async def drop_file(self, store_id: str, file_id: str) -> None:
        async with self._connection() as connection, connection.transaction():
            await postgres_writes.drop_file(connection, store_id, file_id)

    async def drop_store(self, store_id: str) -> None:
        async with self._connection() as connection:
            await connection.execute("DELETE FROM search_stores WHERE id = $1", store_id)

    async def set_attributes(self, store_id: str, file_id: str, attributes: Attributes) -> None:
        async with self._connection() as connection:
            await connection.execute(
                "UPDATE search_files f SET attributes = $3::text::jsonb FROM search_stores s "
                "WHERE s.no = store_no AND s.id = $1 AND file_id = $2",
                store_id,
                file_id,
                msgspec.json.encode(dict(attributes)).decode(),
            )

    async def stores(self) -> list[str]:
        async with self._connection() as connection:
            return [row[0] for row in await connection.fetch(postgres_reads.STORES)]

    async def held(self, store_id: str) -> dict[str, str | None]:
        async with self._connection() as connection:
            return dict(await connection.fetch(postgres_reads.HELD, store_id))

    async def attributes(self, store_id: str) -> dict[str, dict[str, str | int | float | bool]]:
        async with self._connection() as connection:
            rows = await connection.fetch(postgres_reads.ATTRIBUTES, store_id)
        return {file_id: msgspec.json.decode(text) for file_id, text in rows}

    async def contents(self, store_id: str, file_id: str) -> list[Chunk]:
        async with self._connection() as connection:
            return [Chunk(*row) for row in await connection.fetch(postgres_reads.CONTENTS, store_id, file_id)]

    async def search(
        self,
        store_ids: Sequence[str],
        queries: Sequence[Query],
        *,
        limit: int,
        filter: Filter | None = None,
        ranking: Ranking = Ranking(),  # noqa: B008 - it is frozen
    ) -> list[Hit]:
        async with self._connection() as connection:
            scope = await postgres_reads.scope_of(connection, store_ids, filter)
        if not scope.stores:
            return []
        found = await asyncio.gather(*(self._search_one(scope, query, ranking) for query in queries))
        best = weigh(found, ranking)[:limit]
        async with self._connection() as connection:
            return await postgres_reads.hits(connection, best)

    async def _search_one(self, scope: Scope, query: Query, ranking: Ranking) -> Found:
        """What words find, and what vectors do: at the same time, on two connections."""

        async def say_it() -> Found:
            if ranking.text_weight <= 0:
                return Found([], [])
            async with self._connection() as connection:
                common = await self._common.of(connection, scope)
                return await by_words(connection, scope, query.text, common)

        async def by_vector(embedding: str, vector: bytes) -> Near:
            if not self._has_pgvector:
                async with self._connection() as connection:
                    return await self._exact.compare(connection, scope, embedding, vector)
            async with self._connection() as connection:
                best = await postgres_reads.by_vector(connection, scope, embedding, vector, self._exact_below)
            return Near(best)

        asked = list(query.vectors.items()) if ranking.embedding_weight > 0 else []
        finding = asyncio.gather(*(by_vector(*each) for each in asked))
        words, near = await asyncio.gather(say_it(), finding)
        for (embedding, vector), one in zip(asked, near, strict=True):
            keys = {key for key, _ in words.by_words}.difference(key for key, _ in one.best)
            if one.compared is not None:
                one.cosines.update(one.compared(keys))
            elif keys:
                async with self._connection() as connection:
                    one.cosines.update(await postgres_reads.cosines(connection, keys, embedding, vector))
        cosines = {key: cosine for one in near for key, cosine in one.cosines.items()}
        return Found(words.by_words, merge([one.best for one in near]), cosines, words.share)

    async def check(self) -> str:
        async with self._connection() as connection:
            files, chunks = (await connection.fetch(postgres_reads.SIZE))[0]
        how = (
            "pgvector finds vectors" if self._has_pgvector else "there is no pgvector, vectors are compared one by one"
        )
        return f"PostgreSQL holds {files} files in {chunks} chunks; {how}"

    async def close(self) -> None:
        try:
            # A line that has gone silent must not hold up a stop.
            async with asyncio.timeout(CLOSE_WITHIN):
                await self._pool.close()
        except _TROUBLE:
            self._pool.terminate()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        try:
            async with self._pool.acquire() as connection:
                yield connection
        except _TROUBLE as error:
            raise _unavailable(error) from error


async def _introduce(connection: Connection) -> None:
    """What a new connection is told once."""
    # A plan takes less than a millisecond; one made for any words and any store can take a hundred to carry out.
    await connection.execute("SET jit = off; SET plan_cache_mode = force_custom_plan")


async def _introduce_pgvector(connection: Connection) -> None:
    await _introduce(connection)
    # Its settings are known once the extension has been used.
    await connection.execute("SELECT '[1]'::vector")
    for setting in _TUNING:
        # Before its release 0.8 there is one of them less, and a filter may leave fewer hits than were asked for.
        with suppress(asyncpg.UndefinedObjectError, asyncpg.InvalidNameError):
            await connection.execute(setting)
    await connection.set_type_codec(
        "vector", schema=await _schema_of_vector(connection), encoder=_encode, decoder=_decode, format="binary"
    )


async def _leave_as_it_is(_connection: Connection) -> None:
    return


async def _schema_of_vector(connection: Connection) -> str:
    schema: str = await connection.fetchval(
        "SELECT nspname FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE typname = 'vector'"
    )
    return schema


def _encode(vector: bytes) -> bytes:
    """How pgvector reads it: the number of numbers, two bytes of nothing, the numbers with the highest byte first."""
    return (len(vector) // 4).to_bytes(2, "big") + b"\0\0" + np.frombuffer(vector, "<f4").astype(">f4").tobytes()


def _decode(sent: bytes) -> bytes:
    return np.frombuffer(sent[4:], ">f4").astype("<f4").tobytes()


def _unavailable(error: BaseException) -> Unavailable:
    return Unavailable(f"The search index does not answer: {str(error) or type(error).__name__}.")
