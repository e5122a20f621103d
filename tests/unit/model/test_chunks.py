"""Every way in which a stream may be written must give the same chunks, wherever the network cuts it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstead.model.chunks import ChunkStream
from runstead.model.upstream_errors import UpstreamError

CHUNK = '{"id":"c","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}'
FINISH = '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'


def written(*texts: str) -> bytes:
    return "".join(f"data: {CHUNK % text}\n\n" for text in texts).encode()


def read(stream: ChunkStream, pieces: list[bytes]) -> str:
    chunks = [chunk for piece in pieces for chunk in stream.feed(piece)]
    chunks += stream.finish() if not stream.done else []
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    return "".join(delta.content or "" for delta in deltas if delta is not None)


PLAIN = written("Grüße ", "😀 ", "ok") + f"data: {FINISH}\n\ndata: [DONE]\n\n".encode()


@pytest.mark.parametrize("cut", range(len(PLAIN) + 1))
def test_a_stream_may_be_cut_at_any_byte(cut):
    stream = ChunkStream()

    assert read(stream, [PLAIN[:cut], PLAIN[cut:]]) == "Grüße 😀 ok"
    assert (stream.done, stream.finished, stream.malformed) == (True, True, 0)


@given(st.lists(st.integers(0, len(PLAIN)), max_size=20))
def test_a_stream_may_be_cut_anywhere_and_often(cuts):
    edges = sorted({0, len(PLAIN), *cuts})

    assert read(ChunkStream(), [PLAIN[a:b] for a, b in pairwise(edges)]) == "Grüße 😀 ok"


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), max_size=5))
def test_any_text_arrives_as_it_was_sent(texts):
    import json

    for ascii_only in (True, False):
        lines = [json.dumps({"choices": [{"delta": {"content": text}}]}, ensure_ascii=ascii_only) for text in texts]
        data = "".join(f"data: {line}\n\n" for line in lines).encode()

        assert read(ChunkStream(), [data]) == "".join(texts)


@pytest.mark.parametrize(
    "data",
    [
        PLAIN.replace(b"\n", b"\r\n"),
        PLAIN.replace(b"data: ", b"data:"),
        b"\xef\xbb\xbf" + PLAIN,
        b": a comment\n\n" + PLAIN.replace(b"\n\n", b"\n\n: ping\n\n"),
        PLAIN.replace(b"data: {", b"event: message\nid: 7\nretry: 10\ndata: {"),
        PLAIN.replace(b"\n\n", b"\n"),
        PLAIN.removesuffix(b"\n\n"),
        PLAIN.replace(b',"choices"', b',\ndata: "choices"'),
        PLAIN.replace(b'"id":"c",', b'"id":"c","error":null,'),
    ],
    ids=[
        "CRLF",
        "no blank",
        "BOM",
        "comments",
        "events",
        "no empty lines",
        "no last newline",
        "two data lines",
        "null",
    ],
)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_stream_may_be_written_in_many_ways(data, size):
    stream = ChunkStream()

    assert read(stream, [data[at : at + size] for at in range(0, len(data), size)]) == "Grüße 😀 ok"
    assert stream.finished
    assert stream.error is None


@pytest.mark.parametrize(
    "broken",
    [
        b'data: {"choices":[{"delta":\n\n',
        b"data: oops\n\n",
        b'data: {"choices":7}\n\n',
        b'data: {"x":' + b"[" * 100_000 + b"\n\n",
        b"data: oops\n",
    ],
    ids=["cut", "no JSON", "wrong type", "deep", "no empty line"],
)
def test_a_malformed_chunk_is_skipped_and_counted(broken):
    stream = ChunkStream()

    assert read(stream, [written("a") + broken + written("b")]) == "ab"
    assert stream.malformed == 1
    assert stream.error is None


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (rb"a\u0000b", "a\ufffdb"),
        (rb"a\ud800b", "a\ufffdb"),
        (rb"\udc00\ud800", "\ufffd\ufffd"),
        (rb"\ud83d\ude00", "😀"),
        (rb"\\u0000", r"\u0000"),
        (rb"\\\u0000", "\\\ufffd"),
        (b"a\xffb", "a\ufffdb"),
        (b"a\xed\xa0\x80b", "a\ufffd\ufffd\ufffdb"),
    ],
)
def test_text_that_cannot_be_stored_is_replaced(sent, expected):
    data = (b"data: " + CHUNK.encode() + b"\n\n").replace(b"%s", sent)

    assert read(ChunkStream(), [data]) == expected


@pytest.mark.parametrize(
    "failing",
    [
        b'data: {"error":{"message":"out of memory","code":500}}\n\n',
        b'data: {"error": "out of memory"}\n\n',
        b'data: {"object":"error","message":"out of memory","code":500}\n\n',
        b'error: {"message":"out of memory","code":500}\n\n',
        b'event: error\ndata: {"message":"out of memory"}\n\n',
        b'data: {"choices":[{"delta":{"content":""},"finish_reason":"error"}],"error":{"message":"out of memory"}}\n\n',
    ],
)
def test_an_error_in_the_stream_ends_it_after_what_came_before(failing):
    stream = ChunkStream()

    assert read(stream, [written("a") + failing + written("b")])[:1] == "a"
    assert isinstance(stream.error, UpstreamError)
    assert stream.error.words == "out of memory"


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ('{"finish_reason":"error"}', "it gave 'error' as the reason why its answer ended"),
        ('{"finish_reason":"error","error":{"message":"out of memory"}}', "out of memory"),
        ('{"error":{"message":"out of memory"}}', "out of memory"),
    ],
)
def test_a_choice_that_failed_is_an_error(choice, words):
    stream = ChunkStream()

    assert read(stream, [written("a") + f'data: {{"choices":[{choice}]}}\n\n'.encode()]) == "a"
    assert stream.error is not None
    assert stream.error.words == words


def test_an_error_beside_odd_choices_is_one():
    stream = ChunkStream()

    assert read(stream, [b'data: {"error":"out of memory","choices":{}}\n\n']) == ""
    assert stream.error is not None


def test_the_word_error_in_an_answer_is_no_error():
    stream = ChunkStream()

    assert read(stream, [written(r"{\"error\": 1}")]) == '{"error": 1}'
    assert stream.error is None


def test_nothing_is_read_after_the_end_mark():
    assert read(ChunkStream(), [b"data: [DONE]\n\n" + written("late")]) == ""
