"""What came out of a session, kept where it takes little memory and no name, for as long as somebody holds it."""

import asyncio
import os
import tempfile
import weakref
from collections.abc import AsyncIterator
from pathlib import Path

IN_MEMORY = 256 * 1024
BLOCK = 256 * 1024


class Spool:
    """Bytes that are written once and read any number of times."""

    def __init__(self) -> None:
        self._start = bytearray()
        self._descriptor = -1
        self.size = 0

    @property
    def beginning(self) -> bytes:
        """The first bytes, as many as are kept at hand."""
        return bytes(self._start[:64])

    async def write(self, data: bytes) -> None:
        """Add to the end."""
        self.size += len(data)
        if self._descriptor < 0 and self.size <= IN_MEMORY:
            self._start += data
            return
        if self._descriptor < 0:
            self._descriptor = _nameless()
            # Whoever forgets the last reference has closed it.
            weakref.finalize(self, os.close, self._descriptor)
            data = bytes(self._start) + data
            del self._start[64:]
        await asyncio.to_thread(_write, self._descriptor, data)

    async def read(self) -> AsyncIterator[bytes]:
        """All of it from the start, in pieces."""
        if self._descriptor < 0:
            if self._start:
                yield bytes(self._start)
            return
        place = 0
        while data := await asyncio.to_thread(os.pread, self._descriptor, BLOCK, place):
            yield data
            place += len(data)


def _nameless() -> int:
    descriptor, path = tempfile.mkstemp(prefix="runstead-output-")
    Path(path).unlink()
    return descriptor


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
