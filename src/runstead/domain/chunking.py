"""A text in overlapping chunks of so many tokens: what file search finds, and what a model is shown.

Chunks begin and end between two tokens of the o200k vocabulary, and never within a character: a token may be half of one.
"""

from array import array
from itertools import accumulate, chain

from msgspec import Struct

from runstead.domain import tokens

# API: what `auto` stands for.
MAX_TOKENS = 800
OVERLAP = 400


class Chunk(Struct, frozen=True):
    """Characters `start` to `end` of a file's text."""

    text: str
    start: int
    end: int


def split(text: str, max_tokens: int = MAX_TOKENS, overlap: int = OVERLAP) -> list[Chunk]:
    """Chunks of at most `max_tokens`, each repeating the last `overlap` tokens of the one before it.

    Where that would cut a character in two, the chunk ends before the character, and the overlap begins before it.
    Chunks of nothing but blanks are left out. A second for a few megabytes, with the GIL mostly free.
    """
    if tokens.at_most(text) <= max_tokens:
        return [Chunk(text, 0, len(text))] if text.strip() else []
    data = text.encode("utf-8", "surrogatepass")
    ends = array("I", accumulate(chain.from_iterable(tokens.sizes(text)), initial=0))
    last = len(ends) - 1
    chunks: list[Chunk] = []
    first = begin = begin_in_text = 0
    while True:
        stop = _between_characters(data, ends, min(first + max_tokens, last))
        part = data[begin : ends[stop]].decode("utf-8", "surrogatepass")
        if part.strip():
            chunks.append(Chunk(part, begin_in_text, begin_in_text + len(part)))
        if stop == last:
            return chunks
        first = _between_characters(data, ends, stop - overlap)
        next_begin = ends[first]
        begin_in_text += len(data[begin:next_begin].decode("utf-8", "surrogatepass"))
        begin = next_begin


def _between_characters(data: bytes, ends: "array[int]", position: int) -> int:
    """The same place between tokens, or the last one before it that is also between characters."""
    while ends[position] < len(data) and data[ends[position]] & 0b1100_0000 == 0b1000_0000:
        position -= 1
    return position
