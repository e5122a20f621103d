"""Vectors from any server with `/v1/embeddings`."""

import asyncio
from collections.abc import Sequence

import msgspec
import numpy as np

from runstead.domain import chunking
from runstead.domain.errors import EmbeddingFailed
from runstead.ports import Vector
from runstead.search.endpoint import Endpoint
from runstead.search.text_limit import clean

BATCH_TEXTS = 32
BATCH_CHARACTERS = 120_000
AT_ONCE = 2
"""Requests with documents under way; a query never waits for them."""


class _Embedding(msgspec.Struct):
    embedding: list[float]
    index: int | None = None


class _Embeddings(msgspec.Struct):
    data: list[_Embedding]


_DECODER = msgspec.json.Decoder(_Embeddings)


class EndpointEmbedder:
    """Needs a running loop. `window` is in tokens of o200k: longer texts are cut, each part with a vector of its own."""

    def __init__(self, endpoint: Endpoint, model: str, *, window: int) -> None:
        self._endpoint = endpoint
        self._model = model
        self._window = window
        self._dimensions: int | None = None
        self._turns = asyncio.Semaphore(AT_ONCE)

    @property
    def name(self) -> str:
        return self._model

    async def dimensions(self) -> int:
        if self._dimensions is None:
            await self.embed_query("dimensions")
        assert self._dimensions is not None
        return self._dimensions

    async def embed_documents(self, texts: Sequence[str]) -> list[list[Vector]]:
        cut = await asyncio.to_thread(lambda: [self._windows(text) for text in texts])
        flat = [window for windows in cut for window in windows]
        vectors: list[Vector] = []
        for batch in _batches(flat):
            async with self._turns:
                vectors += await self._ask(batch)
        found = iter(vectors)
        return [[next(found) for _ in windows] for windows in cut]

    async def embed_query(self, text: str) -> Vector:
        first = (await asyncio.to_thread(self._windows, text))[:1]
        return (await self._ask(first))[0]

    async def check(self) -> str:
        return f"{self._model} answers with {await self.dimensions()} dimensions"

    async def close(self) -> None:
        await self._endpoint.close()

    def _windows(self, text: str) -> list[str]:
        # Servers refuse an empty input.
        return [chunk.text for chunk in chunking.split(clean(text), self._window, 0)] or ["-"]

    async def _ask(self, texts: Sequence[str]) -> list[Vector]:
        body = {"model": self._model, "input": list(texts), "encoding_format": "float"}
        answer = await self._endpoint.post("embeddings", body, _DECODER)
        if len(answer.data) != len(texts):
            raise EmbeddingFailed(f"The embeddings server sent {len(answer.data)} vectors for {len(texts)} texts.")
        ordered = sorted(enumerate(answer.data), key=lambda pair: pair[0] if pair[1].index is None else pair[1].index)
        return [self._unit(item.embedding) for _, item in ordered]

    def _unit(self, numbers: list[float]) -> Vector:
        if self._dimensions is None and numbers:
            self._dimensions = len(numbers)
        if not numbers or len(numbers) != self._dimensions:
            raise EmbeddingFailed(
                f"The embeddings server sent a vector of {len(numbers)} numbers where {self._dimensions} were expected. "
                f"Has it another model now? Give that a name of its own in RUNSTEAD_EMBEDDINGS_MODEL."
            )
        vector = np.array(numbers, np.float64)
        with np.errstate(over="ignore"):
            length = float(np.linalg.norm(vector))
        if not np.isfinite(length) or length == 0:
            raise EmbeddingFailed("The embeddings server sent a vector of no direction.")
        return (vector / length).astype("<f4").tobytes()


def _batches(texts: Sequence[str]) -> list[list[str]]:
    batches: list[list[str]] = []
    room = 0
    for text in texts:
        if not batches or len(batches[-1]) == BATCH_TEXTS or len(text) > room:
            batches.append([])
            room = BATCH_CHARACTERS
        batches[-1].append(text)
        room -= len(text)
    return batches
