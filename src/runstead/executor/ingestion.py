"""One store file made searchable: its contents as text, the text as chunks, the chunks as vectors, all of it in the index.

Nothing is remembered between attempts: what was begun and not ended is begun again, and `put` replaces.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from runstead.domain import chunking, ingestion, tokens
from runstead.domain.chunking import Chunk
from runstead.domain.errors import ContentsMissing, ExtractionFailed, NotFound
from runstead.domain.file_writes import StoreFileRecord
from runstead.ports import Blobs, Embedder, Extractor, Index, IndexedFile, NoContents, Passage, Store
from runstead.wire.base import FileId, VectorStoreId
from runstead.wire.files import File

AT_ONCE = 16
"""Chunks handed to the embedder at a time: enough to keep it busy, few enough for a cancellation to be felt soon."""


class Means(Struct, frozen=True):
    """What ingestion works with. Without an embedder files are found by their words alone."""

    store: Store
    blobs: Blobs
    extractor: Extractor
    embedder: Embedder | None
    index: Index


async def ingest(means: Means, record: StoreFileRecord) -> int:
    """Make a store file searchable; how many bytes it takes in the index.

    Raises ExtractionFailed for the file's own fault; NoFile, ContentsMissing, EmbeddingFailed or Unavailable for others'.
    """
    file = await means.store.get_file(record.file.id)
    text = await _text(means, file)
    if await asyncio.to_thread(_is_too_long, text):
        raise ExtractionFailed("invalid_file", ingestion.TOO_LARGE)
    sizes = record.file.chunking_strategy.static
    chunks = await asyncio.to_thread(chunking.split, text, sizes.max_chunk_size_tokens, sizes.chunk_overlap_tokens)
    passages = await _passages(means.embedder, chunks)
    # Read as late as can be: they may have been set while the file was read.
    current = await means.store.get_store_file(record.file.vector_store_id, record.file.id)
    return await means.index.put(
        IndexedFile(
            store_id=record.file.vector_store_id,
            file_id=record.file.id,
            attributes=current.file.attributes,
            embedding=None if means.embedder is None else means.embedder.name,
            passages=passages,
        )
    )


async def has_gone(store: Store, store_id: VectorStoreId, file_id: FileId) -> bool:
    """Whether nothing of a store's file may be found: it was taken out, cancelled, or could not be read."""
    try:
        record = await store.get_store_file(store_id, file_id)
    except NotFound:
        return True
    return ingestion.is_hidden(record.file)


def _is_too_long(text: str) -> bool:
    return tokens.at_most(text) > ingestion.MOST_TOKENS and tokens.count(text) > ingestion.MOST_TOKENS


async def _text(means: Means, file: File) -> str:
    """A parser reads a file that it can move about in, and the contents may be in a bucket."""
    with tempfile.TemporaryDirectory(prefix="runstead-") as folder:
        path = Path(folder) / "contents"
        await _copy(means.blobs, file.id, path)
        return await means.extractor.extract(path, file.filename)


async def _copy(blobs: Blobs, id: FileId, path: Path) -> None:
    try:
        pieces = await blobs.get(id)
    except NoContents:
        raise ContentsMissing(id) from None
    with path.open("wb") as copy:
        async for piece in pieces:
            await asyncio.to_thread(copy.write, piece)


async def _passages(embedder: Embedder | None, chunks: Sequence[Chunk]) -> list[Passage]:
    if embedder is None:
        return [Passage(chunk) for chunk in chunks]
    passages: list[Passage] = []
    for first in range(0, len(chunks), AT_ONCE):
        some = chunks[first : first + AT_ONCE]
        vectors = await embedder.embed_documents([chunk.text for chunk in some])
        passages += [Passage(chunk, parts) for chunk, parts in zip(some, vectors, strict=True)]
    return passages
