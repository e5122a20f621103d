"""Words that PostgreSQL is not asked for, because a large store says them all the time."""

from collections.abc import AsyncIterator

import pytest

from runstead.ports import Ranking
from runstead.search import postgres_reads, postgres_words
from runstead.search.postgres_index import PostgresIndex
from runstead.search.postgres_words import CommonWords
from tests.contract.postgres_server import PostgresServer
from tests.contract.search.conftest import CACHE
from tests.contract.search.indexed import a_file, asked

CHUNKS = 60
ONLY_WORDS = Ranking(embedding_weight=0)
TEXTS = ["common " + ("usual " if i % 4 else "") + f"word{i}" for i in range(CHUNKS)]


@pytest.fixture
async def index(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PostgresIndex]:
    """One that takes a store of sixty chunks for a large one, and all of its chunks for a sample."""
    monkeypatch.setattr(postgres_words, "COMMON", 40)
    monkeypatch.setattr(postgres_words, "SAMPLED", CHUNKS)
    monkeypatch.setattr(postgres_words, "LARGE", CHUNKS)
    if not postgres.sql("SELECT 1 FROM pg_database WHERE datname = 'search_words'"):
        postgres.sql("CREATE DATABASE search_words")
    index = await PostgresIndex.open(postgres.url("search_words"), cache_bytes=CACHE)
    await index.put(a_file("file-1", TEXTS))
    yield index
    await index.drop_store("vs_a")
    await index.close()


async def common(index: PostgresIndex, *stores: str, known: CommonWords | None = None) -> dict[str, float]:
    async with index._connection() as connection:
        scope = await postgres_reads.scope_of(connection, stores, None)
        return await (known or CommonWords()).of(connection, scope)


async def test_what_is_common_is_counted_in_a_sample(index: PostgresIndex):
    assert await common(index, "vs_a") == {"common": 60, "usual": 45}


async def test_a_small_store_has_no_common_words_and_makes_them_rarer(index: PostgresIndex, monkeypatch):
    await index.put(a_file("file-2", ["nothing of it"] * 20, store="vs_b"))
    monkeypatch.setattr(postgres_words, "COMMON_PART", 1.6)

    assert await common(index, "vs_b") == {}
    # Forty-five are less than every 1.6th of eighty.
    assert await common(index, "vs_a", "vs_b") == {"common": 60}
    await index.drop_store("vs_b")


@pytest.mark.parametrize(
    ("words", "first"),
    [("common word7", TEXTS[7]), ("word7", TEXTS[7]), ("unheard word7 usual", TEXTS[7])],
)
async def test_a_rare_word_is_found_among_common_ones(index: PostgresIndex, words: str, first: str):
    hits = await index.search(["vs_a"], [asked(words)], limit=50, ranking=ONLY_WORDS)

    assert [hit.text for hit in hits] == [first]


@pytest.mark.parametrize("words", ["common", "common unheard", "usual common"])
async def test_common_words_are_looked_for_if_there_are_no_others(index: PostgresIndex, words: str):
    hits = await index.search(["vs_a"], [asked(words)], limit=50, ranking=ONLY_WORDS)

    assert len(hits) >= 40
    assert hits[0].score > 0


async def test_a_sample_is_taken_anew_when_a_store_has_grown(index: PostgresIndex, monkeypatch):
    # A sample is of pages, and all of this lies in a few of them.
    monkeypatch.setattr(postgres_words, "_SOME_CHUNKS", "search_chunks WHERE store_no = {store} AND {percent} > 0")
    known = CommonWords()
    assert await common(index, "vs_a", known=known) == {"common": 60, "usual": 45}

    await index.put(a_file("file-2", ["common harbour"] * 20))
    assert await common(index, "vs_a", known=known) == {"common": 80, "usual": 60}
    await index.put(a_file("file-3", ["a harbour"] * 60))
    assert await common(index, "vs_a", known=known) == {"common": 80, "usual": 45, "harbour": 80}
