"""How many tokens a text is, by the o200k vocabulary: exact for OpenAI's models, an estimate for all others.

The ranks are vendored (data/, with their licence), because tiktoken would download them. They take 50 MB once they
are loaded, so whoever only needs to know that a text is small enough asks `at_most` first.
"""

import base64
import gzip
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

import tiktoken

PIECE = 32 * 1024
"""Characters counted at a time. The pattern overflows its stack on a million blanks in a row."""

# Where the vocabulary lets a token begin: part of its definition, like the ranks.
_ALTERNATIVES = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}",
    r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
    r"\s*[\r\n]+",
    r"\s+(?!\S)",
    r"\s+",
)


def at_most(text: str) -> int:
    """A bound from above, without loading anything: no token is shorter than a byte of UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def count(text: str) -> int:
    """The number of tokens.

    The first call takes half a second to load the ranks; later ones about 0.1 s a megabyte of prose, and never more
    than about a second a megabyte of anything. The GIL is free meanwhile, so large texts are best counted in a thread.
    """
    return sum(len(_encoding().encode_ordinary(piece)) for piece in _pieces(text))


def sizes(text: str) -> Iterator[list[int]]:
    """The bytes of each token in order, some thousand tokens at a time."""
    encoding = _encoding()
    for piece in _pieces(text):
        yield list(map(len, encoding.decode_tokens_bytes(encoding.encode_ordinary(piece))))


def _pieces(text: str) -> Iterator[str]:
    """The text in parts that add up to the tokens of the whole, or to one or two more per cut without a good place."""
    start = 0
    while len(text) - start > PIECE:
        end = start + PIECE
        # No token reaches from a character into the blank after it.
        blank = text.rfind(" ", start + 1, end)
        while blank > start and text[blank - 1].isspace():
            blank = text.rfind(" ", start + 1, blank)
        if blank > start:
            end = blank
        yield text[start:end]
        start = end
    yield text[start:]


@cache
def _encoding() -> tiktoken.Encoding:
    packed = (files("runstead.domain") / "data" / "o200k_base.tiktoken.gz").read_bytes()
    ranks = {
        base64.b64decode(token): int(rank) for token, rank in map(bytes.split, gzip.decompress(packed).splitlines())
    }
    # No special tokens: a user's text that spells one is text.
    encoding = tiktoken.Encoding(
        "o200k_base", pat_str="|".join(_ALTERNATIVES), mergeable_ranks=ranks, special_tokens={}
    )
    # The encoder has its own copy by now; this one is 17 MB that nobody reads.
    ranks.clear()
    return encoding
