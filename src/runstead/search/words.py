"""The words of a query, as both engines are given them: letters and digits only, so none can mean anything to them."""

import re

MOST = 32
"""Words of one query that are looked for; each costs a walk through a list of chunks."""
LONGEST = 64
_WORD = re.compile(r"[^\W_]+")

# Said in every question and in every text. PostgreSQL leaves out about the same.
_STOP_WORDS = frozenset(
    [
        "a",
        "about",
        "am",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "been",
        "being",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "doing",
        "for",
        "from",
        "had",
        "has",
        "have",
        "having",
        "he",
        "her",
        "here",
        "him",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "just",
        "me",
        "more",
        "most",
        "my",
        "no",
        "nor",
        "not",
        "of",
        "on",
        "or",
        "our",
        "out",
        "own",
        "same",
        "she",
        "should",
        "so",
        "some",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "to",
        "too",
        "under",
        "until",
        "up",
        "very",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "whom",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
    ]
)


def words_of(query: str) -> list[str]:
    """The distinct words that say something, in order; all of them if none does."""
    found = dict.fromkeys(word.lower()[:LONGEST] for word in _WORD.findall(query))
    telling = [word for word in found if word not in _STOP_WORDS]
    return (telling or list(found))[:MOST]


def fts5_query(words: list[str], scopes: list[str]) -> str:
    """Chunks of these scopes with any of these words. A quoted word is a phrase: nothing in it is an operator."""
    return f"scope : ({_any(scopes)}) AND text : ({_any(words)})"


def _any(words: list[str]) -> str:
    return " OR ".join(f'"{word}"' for word in words)
