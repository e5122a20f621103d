"""Search by words in FTS5: which of a query's words are worth looking for, and how that is said."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager

from runstead.search.bm25 import rarity

WORTHWHILE = 10_000
"""Chunks that are ranked, about a microsecond each. What a word in every tenth chunk adds to the order is little."""


def telling(connection: sqlite3.Connection, words: Sequence[str]) -> list[str]:
    """The rarest words, as many as are in so many chunks together; at least one of those that are there."""
    stems = _stems(words)
    counts = _counts(connection, stems.values())
    chosen: list[str] = []
    left = WORTHWHILE
    for word in sorted((word for word in stems if counts[stems[word]]), key=lambda word: counts[stems[word]]):
        left -= counts[stems[word]]
        if left < 0 and chosen:
            break
        chosen.append(word)
    return chosen


def share_of_words(connection: sqlite3.Connection, words: Sequence[str], texts: Sequence[str]) -> list[float]:
    """Which part of a query's words each text says; rare ones count for more."""
    stems = _stems(words)
    counts = _counts(connection, stems.values())
    (chunks,) = connection.execute("SELECT count(*) FROM words_docsize").fetchone()
    weights = {word: rarity(counts[stem], chunks) for word, stem in stems.items()}
    said = [0.0] * len(texts)
    with _scratch(texts) as scratch:
        for word, weight in weights.items():
            for (number,) in scratch.execute("SELECT rowid FROM words WHERE words MATCH ?", (f'"{word}"',)):
                said[number] += weight
    whole = sum(weights.values()) or 1.0
    return [weight / whole for weight in said]


def match(words: Sequence[str], scopes: Sequence[str]) -> str:
    """Chunks of these scopes with any of these words. A quoted word is a phrase: nothing in it is an operator."""
    return f"scope : ({_any(scopes)}) AND text : ({_any(words)})"


def _any(words: Sequence[str]) -> str:
    return " OR ".join(f'"{word}"' for word in words)


def _counts(connection: sqlite3.Connection, stems: Iterable[str]) -> dict[str, int]:
    """How many chunks have each."""
    counts = dict.fromkeys(stems, 0)
    for stem in counts:
        found = connection.execute("SELECT doc FROM vocabulary WHERE term = ? AND col = 'text'", (stem,)).fetchone()
        counts[stem] = found[0] if found else 0
    return counts


def _stems(words: Sequence[str]) -> dict[str, str]:
    """What the index calls these words, as told by an index that holds nothing else."""
    with _scratch(words) as scratch:
        scratch.execute("CREATE VIRTUAL TABLE vocabulary USING fts5vocab (words, instance)")
        found = scratch.execute("SELECT doc, term FROM vocabulary ORDER BY doc, offset DESC").fetchall()
    # A word of several tokens is looked for as all of them; the first stands for it here.
    return {words[number]: stem for number, stem in found}


@contextmanager
def _scratch(texts: Sequence[str]) -> Iterator[sqlite3.Connection]:
    """An index in memory that holds these texts by their numbers."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as scratch:
        scratch.execute("CREATE VIRTUAL TABLE words USING fts5 (word, tokenize = 'porter unicode61')")
        scratch.executemany("INSERT INTO words (rowid, word) VALUES (?, ?)", enumerate(texts))
        yield scratch
