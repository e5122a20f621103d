"""BM25 over what PostgreSQL tells of words: it counts them, but has no such measure of its own."""

import math
from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import Any

from runstead.search.rank import Key, Listed

_K1, _B = 1.2, 0.75
# For one word `ts_rank` is this much, times the sum of 1/n² over the times it is said.
_SAID_ONCE = 0.1 / 1.64493406685
_SUMS = list(accumulate(1 / n**2 for n in range(1, 64)))


def bm25(rows: Iterable[Any], chunks: int) -> Listed:
    """Rows of a chunk's key, its number of words, its ranks by each word, how many chunks have each, and more; best first."""
    read = [tuple(row) for row in rows]
    mean = sum(length for _, _, length, *_ in read) / max(1, len(read)) or 1.0
    found: list[tuple[Key, float]] = []
    for file, position, length, ranks, counts, *_ in read:
        room = _K1 * (1 - _B + _B * length / mean)
        strength = sum(
            rarity(count, chunks) * times * (_K1 + 1) / (times + room)
            for times, count in zip(map(_times, ranks), counts, strict=True)
        )
        found.append(((file, position), strength))
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))


def share(rows: Iterable[Any], chunks: int, key: Key) -> float:
    """Rows as above, the last of them how many words the query has: which part of them this chunk says."""
    for file, position, _, ranks, counts, words in rows:
        if (file, position) == key:
            weights = [rarity(count, chunks) for count in counts]
            whole = sum(weights) + (words - len(weights)) * rarity(0, chunks)
            said = sum(weight for weight, rank in zip(weights, ranks, strict=True) if rank > 0)
            return float(said / whole)
    return 0.0


def rarity(count: float, chunks: int) -> float:
    """What a word weighs that so many of the chunks have."""
    return math.log(1 + max(chunks - count + 0.5, 0.5) / (count + 0.5))


def _times(rank: float) -> int:
    """How often a word is said, by the rank it gives."""
    return bisect_right(_SUMS, rank / _SAID_ONCE * 1.0001)
