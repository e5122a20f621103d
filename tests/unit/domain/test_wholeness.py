"""Whether pieces are one JSON object is judged in passing exactly as a decoder judges the whole."""

import itertools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runstead.domain.wholeness import MAX_DEPTH, Wholeness


def is_object(text: str) -> bool:
    try:
        return isinstance(msgspec.json.decode(text), dict)
    except (msgspec.DecodeError, UnicodeError):
        return False


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('"\\{}[] aé\n', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('"\\{}a', max_size=3), inner, max_size=3),
    max_leaves=6,
)
texts = st.tuples(
    st.sampled_from(["", " \n", "x", "{"]), values.map(json.dumps), st.sampled_from(["", "\n", "}", "{}", "\ud800"])
).map("".join) | st.text('{}[]"\\:,1 a', max_size=12)


@given(texts, st.lists(st.integers(0, 40), max_size=6))
@example('{"a":"\\\\"}', [6, 7])
@example('{"a":"\\""}', [7])
def test_every_beginning_is_judged_as_a_decoder_would(text, cuts):
    pieces: list[str] = []
    wholeness = Wholeness()
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    for begin, end in itertools.pairwise(places):
        pieces.append(text[begin:end])
        assert wholeness.of(pieces) == is_object("".join(pieces))


@pytest.mark.parametrize(("depth", "is_whole"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False), (100_000, False)])
def test_what_is_nested_too_deep_is_no_object(depth, is_whole):
    assert Wholeness().of(['{"a":' * depth + "1" + "}" * depth]) is is_whole
