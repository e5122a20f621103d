"""Blobs over any object store that obstore speaks to: contents go in and out in pieces."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from runstead.domain.errors import Unavailable
from runstead.ports import NoContents

if TYPE_CHECKING:
    from obstore import GetOptions

# What is held of one upload is a few of these, and object stores refuse parts of less than that.
SMALLEST_PART = 5 * 2**20
_PIECE = 256 * 1024
_LISTED_AT_ONCE = 500

TROUBLE = (BaseError, OSError, ValueError)
"""Everything the library raises."""


class StoredContents:
    """Each put is seen whole or not at all, because object stores promise that."""

    def __init__(self, store: ObjectStore, part: int = SMALLEST_PART) -> None:
        self._store = store
        self._part = part

    async def put(self, id: str, pieces: AsyncIterator[bytes]) -> int:
        source = _Counted(pieces)
        try:
            first = await source.part(self._part)
            # What fits one part needs one request, and an upload in parts would need three.
            contents = first if source.is_done else _followed(first, source)
            await obstore.put_async(self._store, id, contents, chunk_size=self._part, max_concurrency=1)
        except TROUBLE as error:
            if source.error is not None:
                raise source.error from None
            raise _unavailable(error) from error
        return source.length

    async def get(self, id: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        if end is not None and end <= start:
            return _nothing()
        wanted: GetOptions = {}
        if end is not None:
            wanted["range"] = (start, end)
        elif start:
            wanted["range"] = {"offset": start}
        try:
            opened = await obstore.get_async(self._store, id, options=wanted)
        except FileNotFoundError:
            raise NoContents from None
        except TROUBLE as error:
            raise _unavailable(error) from error
        return _pieces(aiter(opened.stream(min_chunk_size=_PIECE)))

    async def delete(self, id: str) -> None:
        try:
            await obstore.delete_async(self._store, id)
        except FileNotFoundError:
            return
        except TROUBLE as error:
            raise _unavailable(error) from error

    async def ids(self) -> AsyncIterator[Sequence[str]]:
        with _telling():
            async for found in obstore.list(self._store, chunk_size=_LISTED_AT_ONCE):
                yield [meta["path"] for meta in found]

    async def clear_unfinished(self, untouched_for: float) -> None:
        """An object store keeps parts of an upload that never ended where no list shows them, for as long as it is told."""


class _Counted:
    """The pieces of an upload: how long they are, and what went wrong on the client's side."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self.length = 0
        self.is_done = False
        self.error: BaseException | None = None

    def __aiter__(self) -> "_Counted":
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            self.is_done = True
            raise
        except BaseException as error:
            # Told apart from what the storage fails with, which is not the sender's fault.
            self.error = error
            raise
        self.length += len(piece)
        return piece

    async def part(self, length: int) -> bytes:
        """As much as one part takes."""
        gathered = bytearray()
        async for piece in self:
            gathered += piece
            if len(gathered) >= length:
                break
        return bytes(gathered)


async def _followed(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


async def _nothing() -> AsyncIterator[bytes]:
    pieces: tuple[bytes, ...] = ()
    for piece in pieces:
        yield piece


async def _pieces(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    with _telling():
        async for piece in stream:
            yield bytes(piece)


@contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except TROUBLE as error:
        raise _unavailable(error) from error


def _unavailable(error: BaseException) -> Unavailable:
    # The library's errors go on for lines; the first says what it was.
    return Unavailable(f"File contents are out of reach: {str(error).partition(chr(10))[0]}")
