"""How good search is: recall@k, MRR and nDCG@10 over a corpus of other people's questions (see corpus.py).

    RUNSTEAD_DATA_DIR=FOLDER_OF_THE_WEIGHTS python -m bench.retrieval.quality FOLDER_OF_THE_PACKAGES

Weights were chosen by the questions about Python; those about Perl are what is reported. Both are searched for in one
index of all answers. Also measured: chunks a second from text to index.
"""

import argparse
import asyncio
import math
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.retrieval.corpus import Pair, load
from runstead.domain import chunking
from runstead.ports import Embedder, Index, IndexedFile, Passage, Query, Ranking
from runstead.search import weights
from runstead.search.local_embedder import LocalEmbedder
from runstead.search.postgres_index import PostgresIndex
from runstead.search.sqlite_index import SqliteIndex
from tests.contract import postgres_server

DEPTH = 50
WAYS: Mapping[str, Ranking] = {
    "hybrid": Ranking(),
    "vectors alone": Ranking(text_weight=0),
    "words alone": Ranking(embedding_weight=0),
}


async def fill(indexes: Sequence[Index], pairs: Sequence[Pair], embedder: Embedder) -> float:
    """Chunks a second, all of it: cutting, embedding, indexing."""
    began, count = time.perf_counter(), 0
    for number, pair in enumerate(pairs):
        chunks = chunking.split(pair.answer)
        vectors = await embedder.embed_documents([chunk.text for chunk in chunks])
        passages = [Passage(chunk, some) for chunk, some in zip(chunks, vectors, strict=True)]
        for index in indexes:
            await index.put(
                IndexedFile(
                    store_id="vs_bench", file_id=str(number), attributes={}, embedding=embedder.name, passages=passages
                )
            )
        count += len(chunks)
    return count / (time.perf_counter() - began)


async def ranks(index: Index, questions: Mapping[int, Query], ranking: Ranking) -> list[int | None]:
    """For each question the place of its answer among the files, from 1; None if it was not found."""
    places: list[int | None] = []
    for number, question in questions.items():
        hits = await index.search(["vs_bench"], [question], limit=DEPTH, ranking=ranking)
        files = list(dict.fromkeys(hit.file_id for hit in hits))
        places.append(files.index(str(number)) + 1 if str(number) in files else None)
    return places


def described(places: Sequence[int | None]) -> str:
    def mean(values: Sequence[float]) -> float:
        return sum(values) / len(values)

    recalls = "  ".join(
        f"{mean([float(place is not None and place <= k) for place in places]):.3f}" for k in (1, 5, 10, 20)
    )
    mrr = mean([1 / place if place else 0.0 for place in places])
    # There is one answer to each question, so that the ideal gain is 1.
    ndcg = mean([1 / math.log2(place + 1) if place and place <= 10 else 0.0 for place in places])
    return f"{recalls}  {mrr:.3f}  {ndcg:.3f}"


async def measure(folder: Path, sweep: bool) -> None:
    pairs = load(folder)
    place = weights.find(Path(os.environ.get("RUNSTEAD_DATA_DIR", ".")))
    if place is None:
        raise SystemExit(weights.what_is_missing(Path()))
    embedder = LocalEmbedder(place)
    with tempfile.TemporaryDirectory() as home, postgres_server.a_server() as server:
        indexes: dict[str, Index] = {
            "SQLite, exact": await SqliteIndex.open(Path(home) / "search.db", cache_bytes=2**28),
            "PostgreSQL, HNSW": await PostgresIndex.open(server.url(), cache_bytes=2**28, exact_below=0),
        }
        rate = await fill(list(indexes.values()), pairs, embedder)
        print(f"{len(pairs)} documents, put at {rate:.1f} chunks/s into both indexes together")
        for source in ("python", "perl"):
            questions = {
                number: Query(pair.question, {embedder.name: await embedder.embed_query(pair.question)})
                for number, pair in enumerate(pairs)
                if pair.source == source
            }
            print(
                f"\n{len(questions)} questions about {source:12s}        recall@1  @5     @10    @20    MRR    nDCG@10"
            )
            for name, index in indexes.items():
                for way, ranking in WAYS.items():
                    print(f"  {name:18s} {way:24s} {described(await ranks(index, questions, ranking))}")
                if sweep:
                    for weight in (0.25, 0.5, 0.75, 1.0, 1.5, 2.0):
                        ranking = Ranking(text_weight=weight)
                        print(
                            f"  {name:18s} {f'words weigh {weight}':24s} {described(await ranks(index, questions, ranking))}"
                        )
        for index in indexes.values():
            await index.close()
    await embedder.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sweep", action="store_true", help="also other weights of words")
    arguments = parser.parse_args()
    sys.exit(asyncio.run(measure(arguments.folder, arguments.sweep)))
