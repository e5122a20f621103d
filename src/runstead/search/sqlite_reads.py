"""What is asked of `search.db`."""

import sqlite3
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from msgspec import Struct

from runstead.domain.attribute_filter import Filter, matches
from runstead.domain.chunking import Chunk
from runstead.ports import Hit, Query
from runstead.search.matrix_cache import MatrixCache, Name
from runstead.search.rank import DEPTH, Key, Listed, Scored
from runstead.search.sqlite_words import match, share_of_words, telling
from runstead.search.sqlite_writes import scope
from runstead.search.vector_matrix import Compared, VectorMatrix
from runstead.search.words import words_of

SCANNED = 16_384
"""Windows in memory at a time, of a store that is too large to be kept there."""
_ATTRIBUTES = msgspec.json.Decoder(dict[str, str | int | float | bool])


class Scope(Struct, frozen=True):
    """Where to look: stores by their numbers, and the files in them, None for all."""

    stores: list[int]
    files: frozenset[int] | None


def scope_of(connection: sqlite3.Connection, store_ids: Sequence[str], filter: Filter | None) -> Scope:
    """The filter is applied here: whatever ranks sees nothing else."""
    marks = ", ".join("?" * len(store_ids))
    stores = [no for (no,) in connection.execute(f"SELECT no FROM stores WHERE id IN ({marks})", store_ids)]  # noqa: S608 - marks
    if filter is None:
        return Scope(stores, None)
    marks = ", ".join("?" * len(stores))
    files = connection.execute(f"SELECT no, attributes FROM files WHERE store_no IN ({marks})", stores)  # noqa: S608 - marks
    return Scope(stores, frozenset(no for no, attributes in files if matches(filter, _ATTRIBUTES.decode(attributes))))


def by_words(connection: sqlite3.Connection, scope_: Scope, query: Query) -> Listed:
    words = telling(connection, words_of(query.text))
    if not words or not scope_.stores:
        return []
    arguments: list[str | int] = [match(words, [scope(store) for store in scope_.stores])]
    condition = ""
    if scope_.files is not None:
        # The plus keeps FTS5 from looking up one chunk after the other.
        condition = "AND +rowid IN (SELECT no FROM chunks WHERE file_no IN (SELECT value FROM json_each(?)))"
        arguments.append(msgspec.json.encode(sorted(scope_.files)).decode())
    found = connection.execute(
        f"""
        SELECT file_no, position, strength FROM (
            SELECT rowid, -bm25(words, 0.0, 1.0) AS strength FROM words
             WHERE words MATCH ? {condition} ORDER BY strength DESC, rowid LIMIT {DEPTH}
        ) JOIN chunks ON no = rowid ORDER BY strength DESC, no
        """,  # noqa: S608 - our own words
        arguments,
    )
    return [((file, position), strength) for file, position, strength in found]


def share(connection: sqlite3.Connection, query: Query, key: Key) -> float:
    """Which part of the query's words a chunk says."""
    row = connection.execute("SELECT text FROM chunks WHERE file_no = ? AND position = ?", key).fetchone()
    return 0.0 if row is None else share_of_words(connection, words_of(query.text), row[0])


def by_vectors(connection: sqlite3.Connection, cache: MatrixCache, scope_: Scope, query: Query) -> list[Compared]:
    compared = []
    for store in scope_.stores:
        for embedding, vector in query.vectors.items():
            compared += _compare(connection, cache, (store, embedding, len(vector) // 4), np.frombuffer(vector, "<f4"))
    return compared


def _compare(
    connection: sqlite3.Connection, cache: MatrixCache, name: Name, vector: np.ndarray[tuple[int], np.dtype[np.float32]]
) -> list[Compared]:
    with cache.lock(name):
        connection.execute("BEGIN")
        try:
            return _compare_at_once(connection, cache, name, vector)
        finally:
            connection.execute("COMMIT")


def _compare_at_once(
    connection: sqlite3.Connection, cache: MatrixCache, name: Name, vector: np.ndarray[tuple[int], np.dtype[np.float32]]
) -> list[Compared]:
    store, _, dimensions = name
    version = connection.execute("SELECT version FROM stores WHERE no = ?", (store,)).fetchone()
    matrix = cache.find(name)
    if version is None:
        return []
    if matrix is not None and matrix.version == version[0]:
        return [matrix.compare(vector)]
    files = dict(
        connection.execute(
            "SELECT no, windows FROM files WHERE store_no = ? AND embedding = ? AND dimensions = ? ORDER BY no", name
        )
    )
    windows = sum(files.values())
    if not cache.has_room(4 * dimensions * windows):
        return [part.compare(vector) for part in _parts(connection, files, dimensions)]
    if matrix is not None:
        matrix.files &= files.keys()
    if matrix is None or matrix.is_mostly_gone:
        matrix = VectorMatrix(dimensions, windows)
    for file in files:
        if file not in matrix.files:
            _load(connection, matrix, file, dimensions)
    matrix.version = version[0]
    cache.keep(name, matrix)
    return [matrix.compare(vector)]


def _parts(connection: sqlite3.Connection, files: dict[int, int], dimensions: int) -> Iterator[VectorMatrix]:
    """The store in matrices of a bounded size, one after the other."""
    matrix, room = VectorMatrix(dimensions, SCANNED), SCANNED
    for file, windows in files.items():
        if windows > room and matrix.files:
            yield matrix
            matrix, room = VectorMatrix(dimensions, SCANNED), SCANNED
        _load(connection, matrix, file, dimensions)
        room -= windows
    yield matrix


def _load(connection: sqlite3.Connection, matrix: VectorMatrix, file: int, dimensions: int) -> None:
    blocks = connection.execute("SELECT positions, data FROM vectors WHERE file_no = ? ORDER BY block", (file,))
    for positions, data in blocks:
        matrix.append(file, np.frombuffer(positions, "<i4"), np.frombuffer(data, "<f4").reshape(-1, dimensions))


def hits(connection: sqlite3.Connection, scored: Sequence[Scored]) -> list[Hit]:
    """Chunks that went meanwhile are left out."""
    found = []
    for one in scored:
        row = connection.execute(
            "SELECT stores.id, file_id, text FROM chunks JOIN files ON files.no = file_no "
            "JOIN stores ON stores.no = store_no WHERE file_no = ? AND position = ?",
            one.key,
        ).fetchone()
        if row is not None:
            found.append(Hit(store_id=row[0], file_id=row[1], position=one.key[1], text=row[2], score=one.score))
    return found


def stores(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT id FROM stores WHERE EXISTS (SELECT 1 FROM files WHERE store_no = stores.no)")
    return [id for (id,) in rows]


def held(connection: sqlite3.Connection, store_id: str) -> dict[str, str | None]:
    return dict(
        connection.execute(
            "SELECT file_id, embedding FROM files JOIN stores ON stores.no = store_no WHERE stores.id = ?", (store_id,)
        )
    )


def attributes(connection: sqlite3.Connection, store_id: str) -> dict[str, dict[str, str | int | float | bool]]:
    rows = connection.execute(
        "SELECT file_id, attributes FROM files JOIN stores ON stores.no = store_no WHERE stores.id = ?", (store_id,)
    )
    return {file_id: _ATTRIBUTES.decode(attributes) for file_id, attributes in rows}


def contents(connection: sqlite3.Connection, store_id: str, file_id: str) -> list[Chunk]:
    rows = connection.execute(
        "SELECT text, begins, ends FROM chunks JOIN files ON files.no = file_no JOIN stores ON stores.no = store_no "
        "WHERE stores.id = ? AND file_id = ? ORDER BY position",
        (store_id, file_id),
    )
    return [Chunk(*row) for row in rows]


def size(connection: sqlite3.Connection) -> tuple[int, int]:
    """Files and chunks of all stores."""
    files, chunks = connection.execute("SELECT (SELECT count(*) FROM files), (SELECT count(*) FROM chunks)").fetchone()
    return files, chunks
