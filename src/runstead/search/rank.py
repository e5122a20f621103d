"""What words found and what vectors found, made into one list: reciprocal rank fusion.

Ranks can be added where scores cannot: a cosine and a sum of rare words have no common measure.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct

from runstead.ports import Ranking

DEPTH = 50
"""Chunks taken from each list."""
_K = 60
"""How little the first places differ. The constant of the paper that proposed it, and of everyone since."""

Key: TypeAlias = tuple[int, int]
"""A file's number in the index, and a chunk's place in it."""
Listed: TypeAlias = Sequence[tuple[Key, float]]
"""Keys with what their engine makes of them, best first."""


class Found(Struct, frozen=True):
    """For each query what its words found, and what its vectors found; and the cosines of more keys than those."""

    by_words: Sequence[Listed]
    by_vectors: Sequence[Listed]
    cosines: Sequence[Mapping[Key, float]] = ()


class Scored(Struct, frozen=True):
    """A chunk that may be shown."""

    key: Key
    score: float


def weigh(found: Found, ranking: Ranking) -> list[Scored]:
    """Every key that was found and scores enough, best first. A chunk without vectors is scored by its words."""
    scores: dict[Key, float] = {}
    for key, strength in _pairs(found.by_words):
        scores[key] = max(words_score(strength), scores.get(key, 0.0))
    closest: dict[Key, float] = {}
    for key, cosine in [*_pairs(found.by_vectors), *(pair for one in found.cosines for pair in one.items())]:
        closest[key] = max(similarity_score(cosine), closest.get(key, 0.0))
    scores |= closest
    lists = [(ranking.embedding_weight, one) for one in found.by_vectors]
    lists += [(ranking.text_weight, one) for one in found.by_words]
    order = fuse([(weight, [key for key, _ in one]) for weight, one in lists], scores)
    return [Scored(key, scores[key]) for key in order if scores[key] >= ranking.score_threshold]


def fuse(lists: Iterable[tuple[float, Sequence[Key]]], scores: Mapping[Key, float]) -> list[Key]:
    """All keys of these weighted lists, best first. Of equals the one that scores higher is first, then the older."""
    fused: defaultdict[Key, float] = defaultdict(float)
    for weight, keys in lists:
        for rank, key in enumerate(keys, 1):
            fused[key] += weight / (_K + rank)
    return sorted(fused, key=lambda key: (-fused[key], -scores.get(key, 0.0), key))


def merge(lists: Sequence[Listed]) -> Listed:
    """Lists with a common measure as one: those of several stores."""
    if len(lists) == 1:
        return lists[0]
    return sorted(_pairs(lists), key=lambda pair: (-pair[1], pair[0]))[:DEPTH]


def similarity_score(cosine: float) -> float:
    """1 for the same meaning, 0 for none in common; a cosine below 0 says no more than 0 does."""
    return min(1.0, max(0.0, cosine))


def words_score(strength: float) -> float:
    """From 0 to 1 for a sum of weights of words that has no upper end. Compares only within one search."""
    return strength / (1.0 + strength) if strength > 0 else 0.0


def _pairs(lists: Iterable[Listed]) -> Iterable[tuple[Key, float]]:
    return (pair for one in lists for pair in one)
