"""Search over vectors in a PostgreSQL without pgvector: they are fetched once, and compared in memory."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import numpy as np

from runstead.search.matrix_cache import MatrixCache, Name
from runstead.search.postgres_reads import Near, Scope
from runstead.search.postgres_schema import Connection
from runstead.search.rank import DEPTH, Key, merge
from runstead.search.vector_matrix import Compared, VectorMatrix

SCANNED = 16_384
"""Windows in memory at a time, of a store that is too large to be kept there."""
_FILES = "SELECT no, windows FROM search_files WHERE store_no = $1 AND embedding = $2 AND dimensions = $3 ORDER BY no"
# As the server sends an array: a head of 20 bytes, then each number after its length.
_WINDOWS = "SELECT position, array_send(vector) FROM search_windows WHERE file_no = $1 ORDER BY position"
_HEAD = 20
_SENT = np.dtype([("length", ">i4"), ("number", ">f4")])


class ExactSearch:
    """What a node keeps of it is brought up to date before each search: other nodes change the tables too."""

    def __init__(self, cache_bytes: int) -> None:
        self._cache = MatrixCache(cache_bytes)
        self._turns: dict[Name, asyncio.Lock] = {}

    async def compare(self, connection: Connection, scope: Scope, embedding: str, vector: bytes) -> Near:
        numbers = np.frombuffer(vector, "<f4")
        compared: list[Compared] = []
        for store in scope.stores:
            name = (store, embedding, len(numbers))
            async with (
                self._turns.setdefault(name, asyncio.Lock()),
                connection.transaction(isolation="repeatable_read"),
            ):
                async for matrix in self._matrices(connection, name):
                    compared.append(await asyncio.to_thread(matrix.compare, numbers))

        def cosines(keys: Iterable[Key]) -> dict[Key, float]:
            wanted = list(keys)
            return {key: cosine for each in compared for key, cosine in each.cosines(wanted).items()}

        return Near(merge([each.top(scope.files, DEPTH) for each in compared]), cosines)

    async def _matrices(self, connection: Connection, name: Name) -> AsyncIterator[VectorMatrix]:
        """One that is kept, or one after the other if the store is too large for that."""
        version = await connection.fetchval("SELECT version FROM search_stores WHERE no = $1", name[0])
        if version is None:
            self._cache.forget_store(name[0])
            return
        matrix = self._cache.find(name)
        if matrix is None or matrix.version != version:
            files: dict[int, int] = {row["no"]: row["windows"] for row in await connection.fetch(_FILES, *name)}
            windows = sum(files.values())
            if not self._cache.has_room(4 * name[2] * windows):
                async for part in _parts(connection, files, name[2]):
                    yield part
                return
            if matrix is not None:
                matrix.files &= files.keys()
            if matrix is None or matrix.is_mostly_gone:
                matrix = VectorMatrix(name[2], windows)
            for file in files.keys() - matrix.files:
                await _load(connection, matrix, file)
            matrix.version = version
            self._cache.keep(name, matrix)
        yield matrix


async def _parts(connection: Connection, files: dict[int, int], dimensions: int) -> AsyncIterator[VectorMatrix]:
    matrix, room = VectorMatrix(dimensions, SCANNED), SCANNED
    for file, windows in files.items():
        if windows > room and matrix.files:
            yield matrix
            matrix, room = VectorMatrix(dimensions, SCANNED), SCANNED
        await _load(connection, matrix, file)
        room -= windows
    yield matrix


async def _load(connection: Connection, matrix: VectorMatrix, file: int) -> None:
    rows = await connection.fetch(_WINDOWS, file)
    if rows:
        await asyncio.to_thread(_append, matrix, file, rows)


def _append(matrix: VectorMatrix, file: int, rows: list[Any]) -> None:
    sent = np.frombuffer(b"".join(numbers[_HEAD:] for _, numbers in rows), _SENT)
    vectors = sent["number"].astype(np.float32).reshape(len(rows), -1)
    matrix.append(file, np.array([position for position, _ in rows], np.int32), vectors)
