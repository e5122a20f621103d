"""How long a search takes over 1,000, 10,000 and 100,000 chunks, and how much of the exact result HNSW finds.

    python -m bench.retrieval.latency sqlite 1000 10000 100000
    python -m bench.retrieval.latency postgres 1000 10000 100000

Vectors are clustered and synthetic, words are drawn by Zipf's law; questions are drawn like the chunks. With the
embedding model's weights in RUNSTEAD_DATA_DIR the time of a search includes the embedding of its question.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from runstead.domain.attribute_filter import Equals, Filter
from runstead.domain.chunking import Chunk
from runstead.ports import Index, IndexedFile, Passage, Query, Ranking
from runstead.search import weights
from runstead.search.local_embedder import LocalEmbedder
from runstead.search.postgres_index import PostgresIndex
from runstead.search.sqlite_index import SqliteIndex
from tests.contract import postgres_server

DIMENSIONS, CLUSTERS, SPREAD = 384, 400, 0.8
VOCABULARY, WORDS = 30_000, 120
CHUNKS_IN_A_FILE = 250
QUESTIONS = 40
CACHE = 2**30
WAYS = {
    "hybrid": Ranking(),
    "vectors alone": Ranking(text_weight=0),
    "words alone": Ranking(embedding_weight=0),
}


class Texts:
    """Words and vectors that are the same in every run."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(20261123)
        chances = 1 / np.arange(1, VOCABULARY + 1)
        self._chances = chances / chances.sum()
        self._centres = self._random.normal(size=(CLUSTERS, DIMENSIONS)).astype(np.float32)

    def words(self, count: int) -> str:
        return " ".join(_word(n) for n in self._random.choice(VOCABULARY, size=count, p=self._chances))

    def vectors(self, count: int) -> list[bytes]:
        near = self._centres[self._random.integers(0, CLUSTERS, count)]
        points = near + SPREAD * self._random.normal(size=near.shape).astype(np.float32)
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        return [point.astype("<f4").tobytes() for point in points]


def _word(number: int) -> str:
    word, number = "", number + 1
    while number:
        number, rest = divmod(number, 21)
        word += "bcdfghjklmnpqrstvwxyz"[rest] + "aeiou"[rest % 5]
    return word


async def fill(index: Index, texts: Texts, chunks: int) -> float:
    """Chunks a second."""
    began = time.perf_counter()
    for number in range(0, chunks, CHUNKS_IN_A_FILE):
        many = min(CHUNKS_IN_A_FILE, chunks - number)
        passages = [Passage(Chunk(texts.words(WORDS), 0, 1), [vector]) for vector in texts.vectors(many)]
        file = IndexedFile(
            store_id="vs_bench",
            file_id=f"file-{number}",
            attributes={"year": 2000 + number // CHUNKS_IN_A_FILE % 20},
            embedding="bench",
            passages=passages,
        )
        await index.put(file)
    return chunks / (time.perf_counter() - began)


async def timed(
    index: Index,
    questions: Sequence[Query],
    ranking: Ranking,
    embedder: LocalEmbedder | None,
    filter: Filter | None = None,
) -> str:
    for question in questions[:10]:
        await index.search(["vs_bench"], [question], limit=20, ranking=ranking, filter=filter)
    took = []
    for question in questions:
        began = time.perf_counter()
        if embedder is not None and ranking.embedding_weight:
            await embedder.embed_query(question.text)
        await index.search(["vs_bench"], [question], limit=20, ranking=ranking, filter=filter)
        took.append(1000 * (time.perf_counter() - began))
    return f"p50 {statistics.median(took):7.1f} ms   p95 {statistics.quantiles(took, n=20)[18]:7.1f} ms"


async def recall(index: Index, exact: Index, questions: Sequence[Query]) -> float:
    """Of the exact twenty nearest, how many were found."""
    found = 0
    for question in questions:
        near, true = [
            {
                (hit.file_id, hit.position)
                for hit in await each.search(["vs_bench"], [question], limit=20, ranking=WAYS["vectors alone"])
            }
            for each in (index, exact)
        ]
        found += len(near & true)
    return found / (20 * len(questions))


@asynccontextmanager
async def opened(kind: str, home: Path) -> AsyncIterator[tuple[Index, Index | None]]:
    """An index, and another over the same rows that compares every vector."""
    if kind == "sqlite":
        index = await SqliteIndex.open(home / "search.db", cache_bytes=CACHE)
        try:
            yield index, None
        finally:
            await index.close()
        return
    postgres_server.SETTINGS |= {"shared_buffers": "1GB", "maintenance_work_mem": "1GB", "autovacuum": "on"}
    with postgres_server.a_server() as server:
        near = await PostgresIndex.open(server.url(), cache_bytes=CACHE)
        exact = await PostgresIndex.open(server.url(), cache_bytes=CACHE, exact_below=10**9)
        try:
            yield near, exact
            server.sql("SELECT 1")
        finally:
            await near.close()
            await exact.close()


async def measure(kind: str, sizes: Sequence[int]) -> None:
    place = weights.find(Path(os.environ.get("RUNSTEAD_DATA_DIR", ".")))
    embedder = LocalEmbedder(place) if place else None
    for size in sizes:
        texts = Texts()
        with tempfile.TemporaryDirectory() as home:
            async with opened(kind, Path(home)) as (index, exact):
                rate = await fill(index, texts, size)
                print(
                    f"\n{kind}, {size} chunks: put {rate:.0f} chunks/s, with embedding of the question: {embedder is not None}"
                )
                questions = [Query(texts.words(8), {"bench": vector}) for vector in texts.vectors(QUESTIONS)]
                for name, ranking in WAYS.items():
                    print(f"  {name:28s} {await timed(index, questions, ranking, embedder)}", flush=True)
                year = Equals("eq", "year", 2003)
                print(
                    f"  {'hybrid, a twentieth let through':28s} {await timed(index, questions, Ranking(), embedder, year)}"
                )
                if exact is not None:
                    print(f"  recall@20 of HNSW against exact: {await recall(index, exact, questions):.3f}", flush=True)
    if embedder is not None:
        await embedder.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["sqlite", "postgres"])
    parser.add_argument("sizes", type=int, nargs="+")
    arguments = parser.parse_args()
    sys.exit(asyncio.run(measure(arguments.kind, arguments.sizes)))
