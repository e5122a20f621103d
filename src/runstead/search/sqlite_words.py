"""Search by words in FTS5: which of a query's words are worth looking for, and how that is said."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing

from runstead.search.bm25 import rarity

WORTHWHILE = 10_000
"""Chunks that are ranked, about a microsecond each. What a word in every tenth chunk adds to the order is little."""


def telling(connection: sqlite3.Connection, words: Sequence[str]) -> list[str]:
    """The rarest words, as many as are in so many chunks together; at least one of those that are there."""
    counts = {word: count for word in words if (count := _count(connection, word, WORTHWHILE + 1))}
    if counts and min(counts.values()) > WORTHWHILE:
        # All are common, and had to be counted to the end only now.
        return [min(counts, key=lambda word: _count(connection, word))]
    chosen: list[str] = []
    left = WORTHWHILE
    for word in sorted(counts, key=counts.__getitem__):
        left -= counts[word]
        if left < 0:
            break
        chosen.append(word)
    return chosen


def share_of_words(connection: sqlite3.Connection, words: Sequence[str], text: str) -> float:
    """Which part of a query's words a text says; rare ones count for more."""
    (chunks,) = connection.execute("SELECT count(*) FROM words_docsize").fetchone()
    weights = {word: rarity(_count(connection, word), chunks) for word in words}
    said = _said(words, text)
    return sum(weight for word, weight in weights.items() if word in said) / (sum(weights.values()) or 1.0)


def match(words: Sequence[str], scopes: Sequence[str]) -> str:
    """Chunks of these scopes with any of these words. A quoted word is a phrase: nothing in it is an operator."""
    return f"scope : ({_any(scopes)}) AND text : ({_any(words)})"


def _any(words: Sequence[str]) -> str:
    return " OR ".join(f'"{word}"' for word in words)


def _count(connection: sqlite3.Connection, word: str, most: int = -1) -> int:
    """How many chunks have a word, no further than to `most`: counting walks through all of them."""
    matching = "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)"
    (count,) = connection.execute(matching, (f'text : "{word}"', most)).fetchone()
    return int(count)


def _said(words: Sequence[str], text: str) -> set[str]:
    """Those of the words that a text says, as told by an index in memory that holds nothing else."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as scratch:
        scratch.execute("CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = 'porter unicode61')")
        scratch.execute("INSERT INTO words VALUES (?)", (text,))
        return {word for word in words if _count(scratch, word)}
