"""Matrices of the stores searched last, within a limit of memory."""

from collections import OrderedDict
from threading import Lock
from typing import TypeAlias

from runstead.search.vector_matrix import VectorMatrix

Name: TypeAlias = tuple[int, str, int]
"""A store's number, an embedding, its dimensions."""


class MatrixCache:
    """Safe to be used by several threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = Lock()
        self._kept: OrderedDict[Name, VectorMatrix] = OrderedDict()
        self._locks: dict[Name, Lock] = {}

    @property
    def nbytes(self) -> int:
        """What all of them take."""
        with self._lock:
            return sum(matrix.nbytes for matrix in self._kept.values())

    def has_room(self, nbytes: int) -> bool:
        """Whether a matrix of that size may be kept, if need be in place of all others."""
        return nbytes <= self._limit

    def lock(self, name: Name) -> Lock:
        """Held by whoever brings the matrix of this name up to date, or reads it."""
        with self._lock:
            return self._locks.setdefault(name, Lock())

    def find(self, name: Name) -> VectorMatrix | None:
        with self._lock:
            matrix = self._kept.get(name)
            if matrix is not None:
                self._kept.move_to_end(name)
            return matrix

    def keep(self, name: Name, matrix: VectorMatrix) -> None:
        """In place of the one before, and of those not used for longest if the limit asks for it."""
        with self._lock:
            self._kept[name] = matrix
            self._kept.move_to_end(name)
            held = sum(each.nbytes for each in self._kept.values())
            while held > self._limit and self._kept:
                gone, dropped = self._kept.popitem(last=False)
                held -= dropped.nbytes
                if gone != name:
                    self._locks.pop(gone, None)

    def forget_store(self, store: int) -> None:
        with self._lock:
            for name in [name for name in self._kept if name[0] == store]:
                del self._kept[name]
                self._locks.pop(name, None)
