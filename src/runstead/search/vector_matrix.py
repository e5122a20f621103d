"""A store's vectors in memory, for exact search: one matrix, a row for each window of each chunk.

Rows are only ever appended, and those of files that went are passed over until they are the greater part.
"""

from collections.abc import Collection, Iterable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from runstead.search.rank import Key, Listed

Floats: TypeAlias = NDArray[np.float32]
Places: TypeAlias = NDArray[np.int32]


class VectorMatrix:
    """The windows of one store and one embedding. For one thread at a time."""

    def __init__(self, dimensions: int, rows: int = 0) -> None:
        # What version of the store it shows.
        self.version = -1
        # Those whose rows count.
        self.files: set[int] = set()
        self._rows: Floats = np.empty((rows, dimensions), np.float32)
        self._positions: Places = np.empty(rows, np.int32)
        # Which file a row belongs to, as a place in the lists below.
        self._owners: Places = np.empty(rows, np.int32)
        self._count = 0
        self._appended: list[int] = []
        self._row_counts: list[int] = []
        # Where in the matrix a chunk begins; made when it is first needed.
        self._chunks: NDArray[np.int64] | None = None

    @property
    def nbytes(self) -> int:
        """What it takes of memory."""
        return self._rows.nbytes + self._positions.nbytes + self._owners.nbytes

    @property
    def is_mostly_gone(self) -> bool:
        """Whether it would be better made anew."""
        counted = zip(self._appended, self._row_counts, strict=True)
        return sum(rows for file, rows in counted if file not in self.files) > self._count // 2

    def append(self, file: int, positions: Places, rows: Floats) -> None:
        """Windows of a file in the order of its chunks; those that follow at once are of the same file."""
        end = self._count + len(rows)
        if end > len(self._rows):
            self._grow(max(end, len(self._rows) * 3 // 2))
        if not self._appended or self._appended[-1] != file:
            self._appended.append(file)
            self._row_counts.append(0)
            self.files.add(file)
        self._rows[self._count : end] = rows
        self._positions[self._count : end] = positions
        self._owners[self._count : end] = len(self._appended) - 1
        self._row_counts[-1] += len(rows)
        self._count = end
        self._chunks = None

    def compare(self, vector: Floats) -> "Compared":
        """How close each chunk is."""
        if self._chunks is None:
            keys = self._owners[: self._count].astype(np.int64) << 32 | self._positions[: self._count]
            self._chunks = np.flatnonzero(np.diff(keys, prepend=-1))
        chunks = self._chunks
        # The best window counts for its chunk.
        best = np.maximum.reduceat(self._rows[: self._count] @ vector, chunks) if len(chunks) else self._rows[:0, 0]
        return Compared(list(self._appended), set(self.files), self._owners[chunks], self._positions[chunks], best)

    def _grow(self, capacity: int) -> None:
        for name in ("_rows", "_positions", "_owners"):
            old = getattr(self, name)
            new = np.empty((capacity, *old.shape[1:]), old.dtype)
            new[: self._count] = old[: self._count]
            setattr(self, name, new)


class Compared:
    """One query against one matrix, as it was at that moment. Holds no vectors."""

    def __init__(self, appended: list[int], files: set[int], owners: Places, positions: Places, best: Floats) -> None:
        self._appended = appended
        self._files = files
        self._owners = owners
        self._positions = positions
        self._best = best

    def top(self, allowed: Collection[int] | None, depth: int) -> Listed:
        """The closest chunks of the allowed files with their cosines, closest first; None allows all."""
        files = self._files if allowed is None else self._files.intersection(allowed)
        allowed_places = None
        if len(files) < len(self._appended):
            allowed_places = np.flatnonzero(
                np.array([file in files for file in self._appended], np.bool_)[self._owners]
            )
        best = self._best if allowed_places is None else self._best[allowed_places]
        depth = min(depth, len(best))
        if not depth:
            return []
        nearest = np.argpartition(best, len(best) - depth)[len(best) - depth :]
        if allowed_places is not None:
            nearest = allowed_places[nearest]
        nearest = nearest[np.lexsort((nearest, -self._best[nearest]))]
        return [((self._appended[self._owners[i]], int(self._positions[i])), float(self._best[i])) for i in nearest]

    def cosines(self, keys: Iterable[Key]) -> dict[Key, float]:
        """Of these chunks, as far as they are in the matrix."""
        places = {file: place for place, file in enumerate(self._appended) if file in self._files}
        found = {}
        for file, position in keys:
            if file in places:
                # Owners rise, and within one the positions do.
                first, last = np.searchsorted(self._owners, np.array([places[file], places[file] + 1], np.int32))
                i = int(first + np.searchsorted(self._positions[first:last], np.int32(position)))
                if i < last and self._positions[i] == position:
                    found[file, position] = float(self._best[i])
        return found
