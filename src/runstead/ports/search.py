"""What makes files searchable, and how they are searched."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

from msgspec import Struct

from runstead.domain.attribute_filter import Attributes, Filter
from runstead.domain.chunking import Chunk


class Extractor(Protocol):
    """Takes the text out of files of all kinds, hostile ones among them."""

    async def extract(self, path: Path, filename: str) -> str:
        """The file's text: valid UTF-8 without U+0000, of a bounded length, with something in it.

        What a file holds counts for more than its name. Raises ExtractionFailed, with a sentence for who uploaded it.
        """


Vector: TypeAlias = bytes
"""Numbers of four bytes, the lowest first, of length one together."""


class Embedder(Protocol):
    """Makes vectors of texts: what means the same lies close together."""

    @property
    def name(self) -> str:
        """Which model makes the vectors, in words. Vectors of different names are never compared."""

    async def dimensions(self) -> int:
        """Numbers in a vector. Raises EmbeddingFailed."""

    async def embed_documents(self, texts: Sequence[str]) -> list[list[Vector]]:
        """For each text the vectors of its parts, at least one: a model reads only so much at once.

        Never blocks the loop, and gives way to queries. Raises EmbeddingFailed; then no text has vectors.
        """

    async def embed_query(self, text: str) -> Vector:
        """One vector, of the text's beginning if it is long. Raises EmbeddingFailed."""

    async def check(self) -> str:
        """One line on whether vectors can be had, for doctor and banner. Raises EmbeddingFailed."""

    async def close(self) -> None:
        """Let go of connections and children."""


class Passage(Struct, frozen=True):
    """A chunk and the vectors of its parts; none if the file is found by its words alone."""

    chunk: Chunk
    vectors: Sequence[Vector] = ()


class IndexedFile(Struct, frozen=True, kw_only=True):
    """All that an index holds of a store's file. `embedding` is the embedder's name, None without vectors."""

    store_id: str
    file_id: str
    attributes: Attributes
    embedding: str | None
    passages: Sequence[Passage]


class Query(Struct, frozen=True):
    """What is looked for, in words and as the vectors of the embedders that could be asked, by their names."""

    text: str
    vectors: Mapping[str, Vector] = {}


class Ranking(Struct, frozen=True, kw_only=True):
    """How the lists of the two kinds of search weigh, and how much a hit has to score."""

    embedding_weight: float = 1.0
    text_weight: float = 1.0
    score_threshold: float = 0.0


class Hit(Struct, frozen=True, kw_only=True):
    """A chunk that was found. What `score` means is said in docs/design/search.md; `position` counts a file's chunks."""

    store_id: str
    file_id: str
    position: int
    text: str
    score: float


class Index(Protocol):
    """Where chunks are found again, by what they mean and by their words. All of it can be made anew from the files.

    Any method may raise Unavailable.
    """

    async def put(self, file: IndexedFile) -> int:
        """Hold a file in place of what was held of it before, whole or not at all; how many bytes it takes.

        Returns once it would survive a power failure. Searches see the file as it was until then.
        """

    async def drop_file(self, store_id: str, file_id: str) -> None:
        """Forget a file. Harmless if there is none, as `drop_store` is."""

    async def drop_store(self, store_id: str) -> None:
        """Forget all files of a store."""

    async def set_attributes(self, store_id: str, file_id: str, attributes: Attributes) -> None:
        """Replace what filters see of a file, if it is held."""

    async def stores(self) -> list[str]:
        """The stores of which files are held."""

    async def held(self, store_id: str) -> dict[str, str | None]:
        """The files held of a store, each with the name of its embedding."""

    async def attributes(self, store_id: str) -> dict[str, dict[str, str | int | float | bool]]:
        """The files held of a store, each with what filters see of it."""

    async def contents(self, store_id: str, file_id: str) -> list[Chunk]:
        """A file's chunks in order; empty if it is not held."""

    async def search(
        self,
        store_ids: Sequence[str],
        queries: Sequence[Query],
        *,
        limit: int,
        filter: Filter | None = None,
        ranking: Ranking = Ranking(),  # noqa: B008 - it is frozen
    ) -> list[Hit]:
        """The best chunks of these stores together, best first, none twice; only of files the filter lets through.

        Every search sees each `put` that has returned. No words of a query mean anything to the engine.
        """

    async def check(self) -> str:
        """One line on what the index is and lacks, for doctor and banner."""

    async def close(self) -> None:
        """Finish what was accepted, then let go of everything."""


class Reranker(Protocol):
    """Reads query and text together, which judges better than two vectors and costs more."""

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """How well each text answers the query, from 0 to 1. Raises EmbeddingFailed."""

    async def close(self) -> None:
        """Let go of connections."""


class FoundPassage(Struct, frozen=True, kw_only=True):
    """A passage as the file search tool finds it; the score is from 0 to 1."""

    file_id: str
    file_name: str
    score: float
    text: str


class Library(Protocol):
    """The vector stores, as the file search tool needs them."""

    async def settle(self, store_id: str, timeout: float) -> None:
        """Wait until no file of a store is in progress any more, or for `timeout` seconds."""

    async def search(
        self, store_ids: Sequence[str], query: str, *, limit: int, score_threshold: float
    ) -> list[FoundPassage]:
        """The best passages of these stores together, best first. Raises ToolFailed: a store expired, no search."""
