from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runstead.domain import tokens
from runstead.domain.chunking import Chunk, split

# Characters of one to four bytes, some of which are several tokens, and what joins them.
TEXTS = st.lists(
    st.sampled_from(["word ", "Zwölf", "灯台守", "😀", "👩‍👩‍👧", "𓀀", "\n\n", "  ", "x" * 40, "\ud800", "ก็", "1234"]),
    max_size=400,
).map("".join)


def test_a_short_text_is_one_chunk():
    assert split("A short text.") == [Chunk("A short text.", 0, 13)]


@pytest.mark.parametrize("text", ["", " ", "\n\t\n", " " * 10_000])
def test_blanks_are_no_chunk(text):
    assert split(text) == []


def test_chunks_overlap_by_so_many_tokens():
    text = " ".join(f"ship{n}" for n in range(3_000))

    chunks = split(text, 200, 50)

    assert all(tokens.count(chunk.text) == 200 for chunk in chunks[:-1])
    for one, next_one in pairwise(chunks):
        shared = text[next_one.start : one.end]
        assert tokens.count(shared) == 50
        assert one.text.endswith(shared)
        assert next_one.text.startswith(shared)


def test_by_default_half_of_a_chunk_is_repeated():
    chunks = split("harbour " * 2_000)

    assert [tokens.count(chunk.text) for chunk in chunks[:2]] == [800, 800]
    assert tokens.count(chunks[0].text[chunks[1].start :]) == 400


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.integers(20, 300), st.floats(0, 0.5))
def test_nothing_is_lost_cut_or_too_long(text, most, part):
    chunks = split(text, most, int(most * part))

    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in chunks)
    assert all(tokens.count(chunk.text) <= most + 2 for chunk in chunks)
    assert all(one.start < next_one.start for one, next_one in pairwise(chunks))
    covered = {place for chunk in chunks for place in range(chunk.start, chunk.end)}
    assert not "".join(character for place, character in enumerate(text) if place not in covered).strip()


def test_a_character_of_several_tokens_stays_whole():
    # Each of these takes more than one token.
    text = "𓀀𓁐𓂀𓃀" * 100

    assert tokens.count("𓀀") > 1
    for most in range(21, 40):
        assert "".join(chunk.text for chunk in split(text, most, 0)) == text
