"""What changes in the index's tables, each a part of one transaction."""

import msgspec
import numpy as np

from runstead.ports import IndexedFile
from runstead.search.postgres_schema import Connection

_LOCK_STORE = """
INSERT INTO search_stores (id) VALUES ($1)
ON CONFLICT (id) DO UPDATE SET version = search_stores.version + 1 RETURNING no
"""
_DROP = "DELETE FROM search_files WHERE store_no = $1 AND file_id = $2 RETURNING chunks, windows"
_ADD = """
INSERT INTO search_files (store_no, file_id, embedding, dimensions, chunks, windows, attributes)
VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb) RETURNING no
"""
_COUNT = "UPDATE search_stores SET chunks = chunks + $2, windows = windows + $3 WHERE no = $1"


async def put(connection: Connection, file: IndexedFile, *, with_pgvector: bool) -> int:
    """The bytes of its text and vectors."""
    store = await connection.fetchval(_LOCK_STORE, file.store_id)
    windows = [(i, vector) for i, passage in enumerate(file.passages) for vector in passage.vectors]
    dimensions = len(windows[0][1]) // 4 if windows else 0
    dropped = await connection.fetchrow(_DROP, store, file.file_id) or (0, 0)
    number = await connection.fetchval(
        _ADD,
        store,
        file.file_id,
        file.embedding,
        dimensions,
        len(file.passages),
        len(windows),
        msgspec.json.encode(dict(file.attributes)).decode(),
    )
    await connection.copy_records_to_table(
        "search_chunks",
        columns=["file_no", "position", "store_no", "begins", "ends", "text"],
        records=[
            (number, i, store, passage.chunk.start, passage.chunk.end, passage.chunk.text)
            for i, passage in enumerate(file.passages)
        ],
    )
    await connection.copy_records_to_table(
        "search_windows",
        columns=["file_no", "position", "store_no", "embedding", "dimensions", "vector"],
        records=[
            (number, i, store, file.embedding, dimensions, vector if with_pgvector else _numbers(vector))
            for i, vector in windows
        ],
    )
    await connection.execute(_COUNT, store, len(file.passages) - dropped[0], len(windows) - dropped[1])
    return sum(len(passage.chunk.text.encode()) for passage in file.passages) + sum(len(each) for _, each in windows)


async def drop_file(connection: Connection, store_id: str, file_id: str) -> None:
    store = await connection.fetchval(
        "UPDATE search_stores SET version = version + 1 WHERE id = $1 RETURNING no", store_id
    )
    dropped = await connection.fetchrow(_DROP, store, file_id)
    if dropped is not None:
        await connection.execute(_COUNT, store, -dropped[0], -dropped[1])


def _numbers(vector: bytes) -> list[float]:
    numbers: list[float] = np.frombuffer(vector, "<f4").tolist()
    return numbers
