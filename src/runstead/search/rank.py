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
    """What one query's words found, and its vectors; and the cosines of what words alone found.

    `share` tells, where nothing has vectors, which part of the query's words the strongest chunk says; rare ones count
    for more.
    """

    by_words: Listed
    by_vectors: Listed
    cosines: Mapping[Key, float] = {}
    share: float = 0.0

    @property
    def has_vectors(self) -> bool:
        """Whether there is anything that cosines can tell."""
        return bool(self.by_vectors or self.cosines)


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
    if not found.has_vectors:
        return _scores_of_words(found)
    closeness = {**found.cosines, **dict(found.by_vectors)}
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


def _scores_of_words(found: Found) -> Iterable[tuple[Key, float]]:
    """BM25 knows the order and has no upper end; a share can be held to a threshold. So the others follow the strongest."""
    strongest = max((strength for _, strength in found.by_words), default=0.0) or 1.0
    return [(key, found.share * max(0.0, strength) / strongest) for key, strength in found.by_words]


def merge(lists: Sequence[Listed]) -> Listed:
    """Lists with a common measure as one: those of several stores."""
    if len(lists) == 1:
        return lists[0]
    return sorted((pair for one in lists for pair in one), key=lambda pair: (-pair[1], pair[0]))[:DEPTH]
