"""Small files with vectors that point where a test wants them to."""

import math
from collections.abc import Sequence

import numpy as np

from runstead.domain.chunking import Chunk
from runstead.ports import Hit, IndexedFile, Passage, Query, Vector

EMBEDDING = "test-embedding"


def vector(*numbers: float) -> Vector:
    """A vector of that direction, in four dimensions."""
    full = np.array([*numbers, *[0.0] * (4 - len(numbers))], np.float32)
    return (full / np.linalg.norm(full)).astype("<f4").tobytes()


def at(degrees: float) -> Vector:
    """A direction whose cosine with `at(0)` is that of the angle."""
    return vector(math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))


def a_file(
    file_id: str,
    passages: Sequence[tuple[str, Sequence[Vector]] | str],
    *,
    store: str = "vs_a",
    attributes: dict[str, str | float | bool] | None = None,
    embedding: str | None = EMBEDDING,
) -> IndexedFile:
    made, place = [], 0
    for passage in passages:
        text, vectors = (passage, []) if isinstance(passage, str) else passage
        made.append(Passage(Chunk(text, place, place + len(text)), vectors))
        place += len(text)
    return IndexedFile(store_id=store, file_id=file_id, attributes=attributes or {}, embedding=embedding, passages=made)


def asked(text: str, direction: Vector | None = None) -> Query:
    return Query(text, {EMBEDDING: direction} if direction is not None else {})


def files_of(hits: Sequence[Hit]) -> list[str]:
    return [hit.file_id for hit in hits]
