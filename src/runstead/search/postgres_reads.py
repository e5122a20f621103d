"""What is asked of the index's tables."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from runstead.domain.attribute_filter import Filter
from runstead.ports import Hit
from runstead.search.postgres_filter import condition
from runstead.search.postgres_schema import Connection, indexed_type
from runstead.search.rank import DEPTH, Key, Listed, Scored

WINDOWS = 4 * DEPTH
"""Windows asked of the index, to come to as many chunks as wanted."""
STORES = "SELECT id FROM search_stores WHERE EXISTS (SELECT 1 FROM search_files WHERE store_no = search_stores.no)"
HELD = "SELECT file_id, embedding FROM search_files JOIN search_stores s ON s.no = store_no WHERE s.id = $1"
ATTRIBUTES = (
    "SELECT file_id, attributes::text FROM search_files JOIN search_stores s ON s.no = store_no WHERE s.id = $1"
)
CONTENTS = """
SELECT text, begins, ends FROM search_chunks JOIN search_files f ON f.no = file_no JOIN search_stores s ON s.no = f.store_no
 WHERE s.id = $1 AND file_id = $2 ORDER BY position
"""
SIZE = "SELECT (SELECT count(*) FROM search_files), (SELECT coalesce(sum(chunks), 0)::bigint FROM search_stores)"

_STORES = """
SELECT no, chunks, windows FROM search_stores WHERE id = ANY ($1::text[])
"""


class Scope(Struct, frozen=True):
    """Where to look: stores by their numbers, with their chunks; the files in them, None for all; and their windows."""

    chunks: Mapping[int, int]
    files: list[int] | None
    windows: int

    @property
    def stores(self) -> list[int]:
        """Their numbers."""
        return list(self.chunks)


class Near(Struct):
    """What one vector found; and how close chunks are that words found. `compared` knows of every chunk."""

    best: Listed
    compared: Callable[[Iterable[Key]], dict[Key, float]] | None = None
    cosines: dict[Key, float] = {}


async def scope_of(connection: Connection, store_ids: Sequence[str], filter: Filter | None) -> Scope:
    """The filter is applied here: whatever ranks sees nothing else."""
    stores = await connection.fetch(_STORES, list(store_ids))
    chunks = {no: count for no, count, _ in stores}
    if filter is None:
        return Scope(chunks, None, sum(windows for _, _, windows in stores))
    arguments: list[Any] = [list(chunks)]
    wanted = condition(filter, arguments)
    files = await connection.fetch(
        f"SELECT no, windows FROM search_files WHERE store_no = ANY ($1::bigint[]) AND {wanted}",  # noqa: S608 - arguments
        *arguments,
    )
    return Scope(chunks, [no for no, _ in files], sum(windows for _, windows in files))


async def by_vector(connection: Connection, scope: Scope, embedding: str, vector: bytes, exact_below: int) -> Listed:
    """Every window of a small part of the index is compared; in a large one HNSW finds most of the closest."""
    dimensions = len(vector) // 4
    kind = indexed_type(dimensions)
    files = "" if scope.files is None else "AND file_no = ANY ($4)"
    where = f"dimensions = {dimensions} AND embedding = $2 AND store_no = ANY ($3) {files}"
    if kind is None or scope.windows <= exact_below:
        statement = f"""
            SELECT file_no, position, max(1 - (vector <=> $1)) AS cosine FROM search_windows
             WHERE {where} GROUP BY file_no, position ORDER BY cosine DESC, file_no, position LIMIT {DEPTH}
        """  # noqa: S608 - our own words
    else:
        statement = f"""
            SELECT file_no, position, 1 - (vector::{kind} <=> $1::{kind}) AS cosine FROM search_windows
             WHERE {where} ORDER BY vector::{kind} <=> $1::{kind} LIMIT {WINDOWS}
        """  # noqa: S608 - our own words
    arguments = [vector, embedding, scope.stores, *([] if scope.files is None else [scope.files])]
    closest: dict[Key, float] = {}
    for file, position, cosine in await connection.fetch(statement, *arguments):
        closest[file, position] = max(cosine, closest.get((file, position), -1.0))
    return sorted(closest.items(), key=lambda pair: (-pair[1], pair[0]))[:DEPTH]


async def cosines(connection: Connection, keys: Iterable[Key], embedding: str, vector: bytes) -> dict[Key, float]:
    files, positions = zip(*keys, strict=True)
    rows = await connection.fetch(
        "SELECT file_no, position, max(1 - (vector <=> $1)) FROM unnest($2::bigint[], $3::int[]) wanted (file_no, position)"
        " JOIN search_windows USING (file_no, position)"
        " WHERE dimensions = $5 AND embedding = $4 GROUP BY file_no, position",
        vector,
        files,
        positions,
        embedding,
        len(vector) // 4,
    )
    return {(file, position): cosine for file, position, cosine in rows}


async def hits(connection: Connection, scored: Sequence[Scored]) -> list[Hit]:
    """Chunks that went meanwhile are left out."""
    rows = await connection.fetch(
        "SELECT c.file_no, c.position, s.id, file_id, text FROM unnest($1::bigint[], $2::int[]) wanted (file_no, position)"
        " JOIN search_chunks c USING (file_no, position) JOIN search_files f ON f.no = c.file_no"
        " JOIN search_stores s ON s.no = f.store_no",
        [one.key[0] for one in scored],
        [one.key[1] for one in scored],
    )
    found = {(file, position): rest for file, position, *rest in rows}
    return [
        Hit(store_id=store, file_id=file, position=one.key[1], text=text, score=one.score)
        for one in scored
        if one.key in found
        for store, file, text in [found[one.key]]
    ]
