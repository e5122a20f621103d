"""Contents in a folder of this machine. The library writes beside the final name and renames; that it lasts is ours."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

from obstore.store import LocalStore

from runstead.blobs.contents import StoredContents
from runstead.domain.errors import Unavailable

# Between a write a piece and memory for each upload.
_PART = 2**20


class LocalContents(StoredContents):
    """A file and the folder's entry for it are on the disk before a put returns."""

    def __init__(self, folder: Path) -> None:
        super().__init__(LocalStore(folder), part=_PART)
        self._folder = folder

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Make the folder if it is not there, so that it lasts. Raises OSError."""
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for made in missing:
            _sync(made.parent)
        return cls(folder)

    async def put(self, id: str, pieces: AsyncIterator[bytes]) -> int:
        length = await super().put(id, pieces)
        try:
            await asyncio.to_thread(self._make_last, id)
        except OSError as error:
            raise Unavailable(f"File contents cannot be written: {error}.") from error
        return length

    async def clear_unfinished(self, untouched_for: float) -> None:
        await asyncio.to_thread(self._clear, time.time() - untouched_for)

    def _make_last(self, id: str) -> None:
        _sync(self._folder / id)
        _sync(self._folder)

    def _clear(self, before: float) -> None:
        # The library's name for what it writes ends in a number, and its own lists leave it out.
        for path in self._folder.glob("*#*"):
            try:
                if path.stat().st_mtime <= before:
                    path.unlink()
            except FileNotFoundError:
                continue


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
