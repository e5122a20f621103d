"""The contents of files."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol


class Blobs(Protocol):
    """The contents of files, each under its file's id; written once and never changed. Any method may raise Unavailable."""

    async def put(self, id: str, pieces: AsyncIterator[bytes]) -> int:
        """Keep what comes, as it comes, and return its length once it would survive a power failure.

        Whatever the iterator raises is raised, and then nothing is kept.
        """

    async def get(self, id: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Open contents, from byte `start` until before byte `end`, to be read in pieces. Raises NoContents."""

    async def delete(self, id: str) -> None:
        """Remove contents, if they are there. Who reads them at the moment may read on."""

    def ids(self) -> AsyncIterator[Sequence[str]]:
        """Everything that is kept, some ids at a time, in no order."""

    async def clear_unfinished(self, untouched_for: float) -> None:
        """Remove what is left of puts whose process died; none that wrote within so many seconds."""


class NoContents(Exception):
    """Nothing is kept under that id, or not where this node can see it."""
