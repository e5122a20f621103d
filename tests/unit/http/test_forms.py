"""A form reads the same however its bytes are cut, and nothing sent to it breaks anything else."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from runstead.domain.errors import InvalidRequest
from runstead.http import forms
from runstead.http.errors import BodyTooLarge, SenderSilent
from runstead.http.forms import BadForm, Form

HEADERS = Headers({"content-type": "multipart/form-data; boundary=xyz"})
BODY = (
    b"--xyz\r\n"
    b'Content-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n'
    b"one\r\n--xy two\r\n--xyz\r\n"
    b'content-disposition: form-data; name="purpose"\r\n\r\nassistants\r\n--xyz--\r\nepilogue'
)
READ = [("file", "a.txt", b"one\r\n--xy two"), ("purpose", None, b"assistants")]


def a_form(pieces: Iterable[bytes], limit: int = 10_000, *, leaves: bool = False) -> Form:
    waiting = list(pieces)

    async def receive() -> dict[str, object]:
        if not waiting:
            return {"type": "http.disconnect"} if leaves else {"type": "http.request", "body": b"", "more_body": False}
        return {"type": "http.request", "body": waiting.pop(0), "more_body": True}

    return Form(HEADERS, receive, limit)


async def read(form: Form) -> list[tuple[str, str | None, bytes]]:
    return [
        (part.name, part.filename, b"".join([piece async for piece in form.contents()])) async for part in form.parts()
    ]


def cut(body: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(places), len(body)]
    return [body[start:end] for start, end in pairwise(edges)]


@given(st.lists(st.integers(0, len(BODY)), max_size=12))
def test_it_reads_the_same_however_it_is_cut(places):
    assert asyncio.run(read(a_form(cut(BODY, places)))) == READ


def test_it_reads_the_same_byte_by_byte():
    assert asyncio.run(read(a_form(bytes([byte]) for byte in BODY))) == READ


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=4))
def test_whatever_is_sent_is_read_or_refused(noise, places):
    for body in (noise, b"--xyz" + noise, b"--xyz\r\n" + noise, BODY[:60] + noise + BODY[60:]):
        with suppress(InvalidRequest):
            asyncio.run(read(a_form(cut(body, [min(place, len(body)) for place in places]))))


@given(st.integers(0, len(BODY) - 12))
def test_a_form_that_ends_early_is_refused(length):
    with pytest.raises(BadForm, match=r"ends before its last boundary|damaged|has no name"):
        asyncio.run(read(a_form([BODY[:length]])))


async def test_parts_that_nobody_reads_are_skipped():
    assert [part.name async for part in a_form([BODY]).parts()] == ["file", "purpose"]


async def test_a_part_beyond_the_limit_is_refused_where_it_passes_it():
    form = a_form([BODY[:150], BODY[150:]], limit=12)
    with pytest.raises(BodyTooLarge):
        await read(form)


async def test_a_body_beyond_the_limit_is_refused_whatever_its_parts_are():
    endless = [b"--xyz\r\nX: y\r\n", *[b"\r\n" * 1_000] * 100]
    with pytest.raises((BodyTooLarge, BadForm)):
        await read(a_form(endless, limit=1))
    with pytest.raises(BodyTooLarge):
        await a_form(endless, limit=1).skip_rest()


async def test_a_sender_that_leaves_is_told_from_a_form_that_ends():
    with pytest.raises(ClientDisconnect):
        await read(a_form([BODY[:100]], leaves=True))
    with pytest.raises(ClientDisconnect):
        await a_form([BODY[:100]], leaves=True).skip_rest()


async def test_nobody_waits_for_ever(monkeypatch):
    monkeypatch.setattr(forms, "SILENCE", 0.01)

    async def silent() -> dict[str, object]:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(SenderSilent, match="Nothing more of your request came"):
        await read(Form(HEADERS, silent, 10))


@pytest.mark.parametrize("announced", ["100000000", "9" * 30])
def test_a_length_beyond_the_limit_is_refused_before_anything_is_read(announced):
    headers = Headers({"content-type": "multipart/form-data; boundary=xyz", "content-length": announced})
    with pytest.raises(BodyTooLarge):
        Form(headers, None, 1_000)  # type: ignore[arg-type]
