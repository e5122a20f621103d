"""What is JSON but not of the usual shape says as much as can be understood of it."""

import json

import pytest

from runstead.model.odd_shapes import read_odd
from runstead.model.repair import UNREADABLE
from runstead.wire.chat import ChatChunk


def odd(**fields):
    return read_odd(json.dumps(fields).encode(), ChatChunk)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([], ""),
        ([{"type": "text", "text": "a"}], "a"),
        ([{"text": "a"}, "b", {"type": "output_text", "text": "c"}], "abc"),
        ([{"type": "thinking", "text": "a"}, {"type": "text"}, {"type": "text", "text": 7}, None, 7, ["a"]], ""),
    ],
)
def test_the_text_of_parts_is_joined(parts, text):
    [choice] = odd(choices=[{"delta": {"content": parts}, "finish_reason": "stop"}]).choices

    assert (choice.delta.content, choice.finish_reason) == (text, "stop")


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (7, 7),
        (7.0, 7),
        ("12", 12),
        (-7, -7),
        (7.5, None),
        ("many", None),
        ("²", None),
        (True, None),
        ([], None),
        (1e30, None),
    ],
)
def test_a_count_is_a_whole_number_or_absent(sent, read):
    assert odd(usage={"prompt_tokens": sent}).usage.prompt_tokens == read


@pytest.mark.parametrize("usage", [[], "none", 7, None])
def test_usage_of_another_kind_is_absent(usage):
    assert odd(choices=[], usage=usage).usage is None


@pytest.mark.parametrize(
    "body",
    [b"", b"oops", b"7", b"[]", b'{"choices":7}', b'{"choices":[7]}', b'{"choices":[{"delta":7}]}', b"[" * 100_000],
)
def test_what_cannot_be_understood_is_refused(body):
    with pytest.raises(UNREADABLE):
        read_odd(body, ChatChunk)
