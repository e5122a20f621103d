"""What changes in `search.db`, each a part of one transaction."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from runstead.domain.attribute_filter import Attributes
from runstead.ports import IndexedFile, Passage

BLOCK = 1_000
"""Windows stored together: fast to load, and far below what a row may hold."""

_FORGET_WORDS = (
    "INSERT INTO words (words, rowid, scope, text) SELECT 'delete', no, scope, text FROM chunks WHERE file_no"
)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def put(connection: sqlite3.Connection, file: IndexedFile) -> int:
    """The bytes of its text and vectors."""
    store = _store(connection, file.store_id)
    _drop(connection, store, file.file_id)
    vectors = [vector for passage in file.passages for vector in passage.vectors]
    (number,) = connection.execute(
        "INSERT INTO files (store_no, file_id, embedding, dimensions, windows, attributes) VALUES (?, ?, ?, ?, ?, ?) "
        "RETURNING no",
        (
            store,
            file.file_id,
            file.embedding,
            len(vectors[0]) // 4 if vectors else 0,
            len(vectors),
            json.dumps(dict(file.attributes)),
        ),
    ).fetchone()
    (last,) = connection.execute("SELECT coalesce(max(no), 0) FROM chunks").fetchone()
    connection.executemany(
        "INSERT INTO chunks (no, file_no, position, begins, ends, scope, text) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (last + 1 + i, number, i, passage.chunk.start, passage.chunk.end, scope(store), passage.chunk.text)
            for i, passage in enumerate(file.passages)
        ),
    )
    connection.execute(
        "INSERT INTO words (rowid, scope, text) SELECT no, scope, text FROM chunks WHERE file_no = ?", (number,)
    )
    connection.executemany(
        "INSERT INTO vectors (file_no, block, positions, data) VALUES (?, ?, ?, ?)",
        ((number, i, positions, data) for i, (positions, data) in enumerate(_blocks(file.passages))),
    )
    return sum(len(passage.chunk.text.encode()) for passage in file.passages) + sum(map(len, vectors))


def drop_file(connection: sqlite3.Connection, store_id: str, file_id: str) -> None:
    found = connection.execute("SELECT no FROM stores WHERE id = ?", (store_id,)).fetchone()
    if found:
        connection.execute("UPDATE stores SET version = version + 1 WHERE no = ?", found)
        _drop(connection, found[0], file_id)


def drop_store(connection: sqlite3.Connection, store_id: str) -> int | None:
    """Its number, or None if nothing was held of it."""
    found: tuple[int] | None = connection.execute("SELECT no FROM stores WHERE id = ?", (store_id,)).fetchone()
    if found is None:
        return None
    files = "IN (SELECT no FROM files WHERE store_no = ?)"
    connection.execute(f"{_FORGET_WORDS} {files}", found)
    for table in ("chunks", "vectors"):
        connection.execute(f"DELETE FROM {table} WHERE file_no {files}", found)  # noqa: S608 - our own words
    connection.execute("DELETE FROM files WHERE store_no = ?", found)
    connection.execute("DELETE FROM stores WHERE no = ?", found)
    return found[0]


def set_attributes(connection: sqlite3.Connection, store_id: str, file_id: str, attributes: Attributes) -> None:
    found = connection.execute("SELECT no FROM stores WHERE id = ?", (store_id,)).fetchone()
    if found:
        connection.execute(
            "UPDATE files SET attributes = ? WHERE store_no = ? AND file_id = ?",
            (json.dumps(dict(attributes)), found[0], file_id),
        )


def scope(store: int) -> str:
    """The word that stands for a store."""
    return f"store{store}"


def _store(connection: sqlite3.Connection, store_id: str) -> int:
    (number,) = connection.execute(
        "INSERT INTO stores (id, version) VALUES (?, 0) ON CONFLICT (id) DO UPDATE SET version = version + 1 RETURNING no",
        (store_id,),
    ).fetchone()
    return int(number)


def _drop(connection: sqlite3.Connection, store: int, file_id: str) -> None:
    found = connection.execute("SELECT no FROM files WHERE store_no = ? AND file_id = ?", (store, file_id)).fetchone()
    if found:
        connection.execute(f"{_FORGET_WORDS} = ?", found)
        for table in ("chunks", "vectors"):
            connection.execute(f"DELETE FROM {table} WHERE file_no = ?", found)  # noqa: S608 - our own words
        connection.execute("DELETE FROM files WHERE no = ?", found)


def _blocks(passages: Sequence[Passage]) -> Iterator[tuple[bytes, bytes]]:
    """Windows with the positions of their chunks, some at a time."""
    windows = [(i, vector) for i, passage in enumerate(passages) for vector in passage.vectors]
    for start in range(0, len(windows), BLOCK):
        block = windows[start : start + BLOCK]
        yield np.array([i for i, _ in block], "<i4").tobytes(), b"".join(vector for _, vector in block)
