"""The host's side of the line, fed with whatever bytes there are: a frame, or a refusal, and nothing else."""

import asyncio
import json
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstead.sandbox import protocol
from runstead.sandbox.harvest import Harvest, is_png
from runstead.sandbox.limits import Limits
from runstead.sandbox.protocol import Garbled
from runstead.sandbox.spool import Spool

LIMITS = Limits(disk=5_000, logs=1_000, files=3, images=2, image=2_000)

names = st.text(max_size=30)
ids = st.sampled_from(["call", "", "other"])
heads = st.one_of(
    st.fixed_dictionaries({"op": st.just("text"), "id": ids}),
    st.fixed_dictionaries({"op": st.just("image"), "id": ids}),
    st.fixed_dictionaries({"op": st.just("file"), "id": ids, "name": names}),
    st.fixed_dictionaries({"op": st.just("chunk"), "id": ids}),
    st.fixed_dictionaries({"op": st.just("end"), "id": ids}),
    st.fixed_dictionaries({"op": st.just("refused"), "id": ids, "name": names, "why": st.text(max_size=8)}),
    st.fixed_dictionaries({"op": st.just("ran"), "id": ids, "ok": st.booleans(), "cut": st.booleans()}),
    st.fixed_dictionaries({"op": st.just("done"), "id": ids, "ok": st.booleans()}),
    st.dictionaries(names, st.recursive(st.none() | st.booleans() | st.integers() | names, st.lists, max_leaves=4)),
)


def framed(head: object, raw: bytes, count: int | None = None) -> bytes:
    data = json.dumps({**head, "raw": len(raw) if count is None else count}).encode() if isinstance(head, dict) else b""
    return len(data).to_bytes(4, "big") + data + raw


async def all_of(data: bytes) -> list[tuple[protocol.Frame, bytes]]:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    found = []
    try:
        while True:
            found.append(await protocol.read_frame(reader))
    except EOFError:
        return found


@given(st.binary(max_size=2_000))
def test_any_bytes_are_frames_or_garbled(data):
    with suppress(Garbled):
        asyncio.run(all_of(data))


@given(st.lists(st.tuples(heads, st.binary(max_size=300)), max_size=20), st.binary(max_size=20))
def test_any_heads_are_frames_or_garbled(frames, rest):
    data = b"".join(framed(head, raw) for head, raw in frames) + rest
    with suppress(Garbled):
        asyncio.run(all_of(data))


@given(st.lists(st.tuples(heads, st.binary(max_size=900)), max_size=40))
def test_what_is_gathered_keeps_every_limit(frames):
    harvest = Harvest("call", LIMITS)

    async def gather() -> None:
        for head, raw in frames:
            frame = protocol.decode_head(framed(head, raw)[4 : -len(raw) or None])
            await harvest.take(frame, raw)

    with suppress(Garbled):
        asyncio.run(gather())

    assert len(harvest.logs.encode()) <= 3 * LIMITS.logs
    assert len(harvest.files) <= LIMITS.files
    assert len(harvest.images) <= LIMITS.images
    assert sum(one.size for one in harvest.files) <= LIMITS.disk + LIMITS.images * LIMITS.image
    assert all("/../" not in f"/{one.name}/" and "\n" not in one.name for one in harvest.files)
    assert len(" ".join(harvest.notes)) < 5_000
    harvest.logs.encode()
    " ".join(harvest.notes).encode()


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"op":"done"}',
        b'{"op":"done","id":"x","ok":1}',
        b'{"op":"done","id":"x","ok":true,"raw":1}',
        b'{"op":"text","id":"x","raw":262145}',
        b'{"op":"text","id":"x","raw":-1}',
        b'{"op":"text","id":"x","raw":1e400}',
        b'{"op":"text","id":"x","raw":99999999999999999999}',
        b'{"op":"text","id":7}',
        b'{"op":"ready","python":"3","more":1}',
        b'{"op":"text","id":"\xff"}',
        b"[" * 16_000,
        b'{"a":' * 3_000,
    ],
)
def test_a_head_that_is_none_is_garbled(head):
    with pytest.raises(Garbled):
        protocol.decode_head(head)


@pytest.mark.parametrize("length", [0, protocol.LARGEST_HEAD + 1, 2**32 - 1])
async def test_a_length_is_judged_before_anything_is_read(length):
    reader = asyncio.StreamReader()
    reader.feed_data(length.to_bytes(4, "big"))

    with pytest.raises(Garbled):
        await protocol.read_frame(reader)


def test_what_is_sent_is_a_length_a_head_and_the_bytes():
    data = protocol.encode("run", b"code", id="x")

    length = int.from_bytes(data[:4], "big")
    assert msgspec.json.decode(data[4 : 4 + length]) == {"op": "run", "id": "x", "raw": 4}
    assert data[4 + length :] == b"code"


@given(st.binary(max_size=200))
def test_text_can_always_be_stored(data):
    text = protocol.words(data)

    text.encode()
    assert "\0" not in text


@given(st.binary(max_size=40))
def test_no_other_bytes_are_an_image(data):
    assert not is_png(data)


@pytest.mark.parametrize(("side", "is_one"), [(1, True), (20_000, True), (20_001, False), (0, False), (2**31, False)])
def test_an_image_has_a_sensible_size(side, is_one):
    beginning = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + side.to_bytes(4, "big") + (1).to_bytes(4, "big")

    assert is_png(beginning) is is_one


@given(st.lists(st.binary(min_size=1, max_size=200_000), max_size=6))
def test_what_is_kept_is_read_as_it_was_written(pieces):
    async def kept() -> tuple[bytes, bytes, int]:
        spool = Spool()
        for piece in pieces:
            await spool.write(piece)
        return await whole(spool), await whole(spool), spool.size

    async def whole(spool: Spool) -> bytes:
        return b"".join([block async for block in spool.read()])

    written = b"".join(pieces)
    assert asyncio.run(kept()) == (written, written, len(written))
