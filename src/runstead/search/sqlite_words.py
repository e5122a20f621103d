"""Search by words in FTS5: which of a query's words are worth looking for, and how that is said."""

import sqlite3
from collections.abc import Sequence

WORTHWHILE = 10_000
"""Chunks that are ranked, about a microsecond each. What a word in every tenth chunk adds to the order is little."""


def telling(connection: sqlite3.Connection, words: Sequence[str]) -> list[str]:
    """The rarest words, as many as are in so many chunks together; at least one of those that are there."""
    stems = _stems(words)
    counts = dict.fromkeys(stems.values(), 0)
    for stem in counts:
        found = connection.execute("SELECT doc FROM vocabulary WHERE term = ? AND col = 'text'", (stem,)).fetchone()
        counts[stem] = found[0] if found else 0
    chosen: list[str] = []
    left = WORTHWHILE
    for word in sorted((word for word in stems if counts[stems[word]]), key=lambda word: counts[stems[word]]):
        left -= counts[stems[word]]
        if left < 0 and chosen:
            break
        chosen.append(word)
    return chosen


def match(words: Sequence[str], scopes: Sequence[str]) -> str:
    """Chunks of these scopes with any of these words. A quoted word is a phrase: nothing in it is an operator."""
    return f"scope : ({_any(scopes)}) AND text : ({_any(words)})"


def _any(words: Sequence[str]) -> str:
    return " OR ".join(f'"{word}"' for word in words)


def _stems(words: Sequence[str]) -> dict[str, str]:
    """What the index calls these words, as told by an index that holds nothing else."""
    with sqlite3.connect(":memory:", isolation_level=None) as scratch:
        scratch.execute("CREATE VIRTUAL TABLE words USING fts5 (word, tokenize = 'porter unicode61')")
        scratch.execute("CREATE VIRTUAL TABLE vocabulary USING fts5vocab (words, instance)")
        scratch.executemany("INSERT INTO words (rowid, word) VALUES (?, ?)", enumerate(words))
        found = scratch.execute("SELECT doc, term FROM vocabulary ORDER BY doc, offset DESC").fetchall()
    scratch.close()
    # A word of several tokens is looked for as all of them; the first stands for it here.
    return {words[number]: stem for number, stem in found}
