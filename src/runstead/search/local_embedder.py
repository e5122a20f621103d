"""The embedding model that comes along: MiniLM in a process of its own."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from runstead.ports import Vector
from runstead.search.embedding_process import EmbeddingProcess
from runstead.search.text_limit import clean

NAME = "all-MiniLM-L6-v2-int8"
DIMENSIONS = 384
TEXTS = 8
"""Chunks in one frame: some seconds of work, so that a cancelled file stops soon."""


class LocalEmbedder:
    """One frame of documents is under way at a time; queries pass them in a thread of their own."""

    def __init__(self, weights: Path) -> None:
        self._process = EmbeddingProcess(weights)
        self._documents = asyncio.Lock()

    @property
    def name(self) -> str:
        return NAME

    async def dimensions(self) -> int:
        return DIMENSIONS

    async def embed_documents(self, texts: Sequence[str]) -> list[list[Vector]]:
        vectors: list[list[Vector]] = []
        for start in range(0, len(texts), TEXTS):
            some = [clean(text) for text in texts[start : start + TEXTS]]
            async with self._documents:
                vectors += await self._process.embed("documents", some)
        return vectors

    async def embed_query(self, text: str) -> Vector:
        return (await self._process.embed("query", [clean(text)]))[0][0]

    async def check(self) -> str:
        await self.embed_query("ready")
        return f"{NAME} runs embedded (process {self._process.pid})"

    async def close(self) -> None:
        await self._process.close()
