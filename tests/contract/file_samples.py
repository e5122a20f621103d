"""Files, stores and what is in them, that tests store."""

from typing import Any

from runstead.domain.change import Change
from runstead.domain.file_writes import AddStoreFiles, InsertFile, InsertFileBatch, InsertVectorStore, NewStoreFile
from runstead.wire.base import BatchId, FileId, VectorStoreId
from runstead.wire.files import File
from runstead.wire.vector_stores import StaticChunking, StaticStrategy, VectorStore
from tests.contract.samples import NOW, change, new_id

AUTO = StaticStrategy(StaticChunking())
SMALL = StaticStrategy(StaticChunking(max_chunk_size_tokens=100, chunk_overlap_tokens=50))


def a_file(**fields: Any) -> File:
    given: dict[str, Any] = {
        "id": FileId(new_id("file").replace("_", "-")),
        "created_at": NOW,
        "bytes": 3,
        "filename": "a.txt",
        "purpose": "assistants",
    }
    return File(**given | fields)


def a_store(**fields: Any) -> VectorStore:
    given: dict[str, Any] = {"id": VectorStoreId(new_id("vs")), "created_at": NOW, "last_active_at": NOW}
    return VectorStore(**given | fields)


def adding(store: VectorStore, *files: File, batch: BatchId | None = None, **fields: Any) -> AddStoreFiles:
    given: dict[str, Any] = {"attributes": {}, "strategy": AUTO}
    new = tuple(NewStoreFile(file_id=file.id, **given | fields) for file in files)
    return AddStoreFiles(store.id, new, NOW, batch)


def store_with(store: VectorStore, *files: File) -> Change:
    """A new store with new files in it."""
    return change(InsertVectorStore(store), *map(InsertFile, files), adding(store, *files))


def batch_with(store: VectorStore, *files: File) -> tuple[BatchId, Change]:
    """A new batch of files that are there already."""
    id = BatchId(new_id("vsfb"))
    return id, change(InsertFileBatch(id, store.id, NOW), adding(store, *files, batch=id))
