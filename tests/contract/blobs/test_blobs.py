"""Contents: written once in pieces, read back whole or in part, listed and removed."""

import os
from collections.abc import AsyncIterator, Sequence

import pytest

from runstead.domain.errors import Unavailable
from runstead.ports import Blobs, NoContents

PIECE = 64 * 1024
SEVERAL_PARTS = 300
"""Pieces that do not fit one part of an upload."""


async def pieces(parts: Sequence[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def read(blobs: Blobs, id: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([piece async for piece in await blobs.get(id, start, end)])


async def listed(blobs: Blobs) -> set[str]:
    return {id async for some in blobs.ids() for id in some}


@pytest.mark.parametrize("count", [0, 1, 3, SEVERAL_PARTS])
async def test_what_was_put_is_read_back(blobs: Blobs, count: int) -> None:
    contents = [os.urandom(PIECE) for _ in range(count)]

    length = await blobs.put("file-a", pieces(contents))

    assert length == count * PIECE
    assert await read(blobs, "file-a") == b"".join(contents)


@pytest.mark.parametrize(("start", "end"), [(0, 1), (5, 8), (9, 10), (3, None), (0, None), (4, 4), (10, 10)])
async def test_a_part_is_read_alone(blobs: Blobs, start: int, end: int | None) -> None:
    await blobs.put("file-a", pieces([b"01234", b"56789"]))

    assert await read(blobs, "file-a", start, end) == b"0123456789"[start:end]


async def test_what_is_not_there_is_said_before_anything_is_read(blobs: Blobs) -> None:
    with pytest.raises(NoContents):
        await blobs.get("file-none")
    with pytest.raises(NoContents):
        await blobs.get("file-none", 1, 2)


async def test_removing_is_harmless_twice(blobs: Blobs) -> None:
    await blobs.put("file-a", pieces([b"x"]))
    await blobs.delete("file-a")
    await blobs.delete("file-a")

    with pytest.raises(NoContents):
        await blobs.get("file-a")


async def test_all_ids_are_listed(blobs: Blobs) -> None:
    names = {f"file-{number}" for number in range(12)}
    for name in names:
        await blobs.put(name, pieces([b"x"]))

    assert await listed(blobs) == names


@pytest.mark.parametrize("good", [0, 2, SEVERAL_PARTS])
async def test_an_upload_that_breaks_off_leaves_nothing(blobs: Blobs, good: int) -> None:
    class LeftError(Exception):
        pass

    async def breaking() -> AsyncIterator[bytes]:
        for _ in range(good):
            yield bytes(PIECE)
        raise LeftError

    with pytest.raises(LeftError):
        await blobs.put("file-a", breaking())

    assert await listed(blobs) == set()
    with pytest.raises(NoContents):
        await blobs.get("file-a")


async def test_a_refusal_by_whoever_sends_is_not_taken_for_trouble_of_the_store(blobs: Blobs) -> None:
    async def refusing() -> AsyncIterator[bytes]:
        yield b"x"
        raise OSError("the sender's own")

    with pytest.raises(OSError, match="the sender's own"):
        await blobs.put("file-a", refusing())


async def test_clearing_leaves_what_is_kept(blobs: Blobs) -> None:
    await blobs.put("file-a", pieces([b"x"]))

    await blobs.clear_unfinished(untouched_for=0)

    assert await read(blobs, "file-a") == b"x"


async def test_a_store_that_is_gone_is_unavailable(s3_gone: Blobs) -> None:
    for attempt in (
        s3_gone.put("file-a", pieces([b"x"])),
        s3_gone.get("file-a"),
        s3_gone.delete("file-a"),
        listed(s3_gone),
    ):
        with pytest.raises(Unavailable):
            await attempt
