"""What words found and what vectors found, made into one list.

The cosine counts, and words add a tenth to it. Sums of scores put more answers into the first places than sums of ranks
did, in the measurement that docs/design/search.md tells of.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct

from runstead.ports import Ranking

DEPTH = 50
"""Chunks taken from each list."""
WORDS_WORTH = 0.1
"""How much the best match of words adds to a cosine, where both kinds weigh the same."""

Key: TypeAlias = tuple[int, int]
"""A file's number in the index, and a chunk's place in it."""
Listed: TypeAlias = Sequence[tuple[Key, float]]
"""Keys with what their engine makes of them, best first."""


class Found(Struct, frozen=True):
    """What one query's words found, and its vectors; and the cosines of what words alone found."""

    by_words: Listed
    by_vectors: Listed
    cosines: Mapping[Key, float] = {}


class Scored(Struct, frozen=True):
    """A chunk that may be shown."""

    key: Key
    score: float


def weigh(found: Iterable[Found], ranking: Ranking) -> list[Scored]:
    """Every chunk that any query found and that scores enough, best first."""
    best: dict[Key, float] = {}
    for one in found:
        for key, score in _scores(one, ranking):
            best[key] = max(score, best.get(key, score))
    order = sorted(best, key=lambda key: (-best[key], key))
    scored = (Scored(key, min(1.0, max(0.0, best[key]))) for key in order)
    return [one for one in scored if one.score >= ranking.score_threshold]


def _scores(found: Found, ranking: Ranking) -> Iterable[tuple[Key, float]]:
    closeness = {**found.cosines, **dict(found.by_vectors)}
    if not closeness:
        return [(key, words_score(strength)) for key, strength in found.by_words]
    strength = dict(found.by_words)
    strongest = max(strength.values(), default=0.0) or 1.0
    of_words = ranking.text_weight * WORDS_WORTH if strength else 0.0
    of_meaning = ranking.embedding_weight
    # A chunk without vectors is taken for one that is hardly close.
    least = min((cosine for _, cosine in found.by_vectors), default=0.0)
    return [
        (
            key,
            (of_meaning * closeness.get(key, least) + of_words * strength.get(key, 0.0) / strongest)
            / (of_meaning + of_words),
        )
        for key in {**strength, **closeness}
    ]


def merge(lists: Sequence[Listed]) -> Listed:
    """Lists with a common measure as one: those of several stores."""
    if len(lists) == 1:
        return lists[0]
    return sorted((pair for one in lists for pair in one), key=lambda pair: (-pair[1], pair[0]))[:DEPTH]


def words_score(strength: float) -> float:
    """From 0 to 1 for a sum of weights of words that has no upper end. Compares only within one search."""
    return strength / (1.0 + strength) if strength > 0 else 0.0
