"""Brings an index up to today's embedding model: files that are missing in it, or whose vectors another model made.

What is right is left alone, so it can be interrupted and started again at any time, also while nodes serve.
"""

from collections.abc import AsyncIterator

from msgspec import Struct

from runstead.domain import ingestion
from runstead.domain.change import Change
from runstead.domain.errors import ContentsMissing, ExtractionFailed, NotFound, Stale
from runstead.domain.file_writes import ReplaceStoreFile
from runstead.executor.ingestion import Means, has_gone, ingest
from runstead.ports import PageRequest, Store
from runstead.wire.base import FileId, VectorStoreId

PAGE = 100


class Outdated(Struct, frozen=True):
    """A store's file that the index does not hold as it would be read today."""

    store_id: VectorStoreId
    file_id: FileId


async def outdated(means: Means) -> list[Outdated]:
    """Without an embedder vectors that are there are kept: only what is missing counts. Raises Unavailable."""
    wanted = None if means.embedder is None else means.embedder.name
    found = []
    async for store_id in _stores(means.store):
        held = await means.index.held(store_id)
        async for file_id in _files(means.store, store_id):
            if file_id not in held or (wanted is not None and held[file_id] != wanted):
                found.append(Outdated(store_id, file_id))
    return found


async def renew(means: Means, one: Outdated) -> str | None:
    """Read a file again; why that was not possible, or None. Raises EmbeddingFailed or Unavailable."""
    try:
        record = await means.store.get_store_file(one.store_id, one.file_id)
        size = await ingest(means, record)
        if await has_gone(means.store, one.store_id, one.file_id):
            await means.index.drop_file(one.store_id, one.file_id)
            return None
        await means.store.commit(Change(writes=(ReplaceStoreFile(ingestion.complete(record, size), record),)))
    except (NotFound, Stale):
        # It was taken out, or put in anew, meanwhile.
        return None
    except (ContentsMissing, ExtractionFailed) as failure:
        return failure.message
    return None


async def _stores(store: Store) -> AsyncIterator[VectorStoreId]:
    after: str | None = None
    while True:
        page = await store.page_vector_stores(PageRequest(PAGE, "asc", after))
        for each in page.items:
            yield each.id
        if not page.has_more:
            return
        after = page.items[-1].id


async def _files(store: Store, store_id: VectorStoreId) -> AsyncIterator[FileId]:
    after: str | None = None
    while True:
        try:
            page = await store.page_store_files(store_id, PageRequest(PAGE, "asc", after), "completed")
        except NotFound:
            return
        for file in page.items:
            yield file.id
        if not page.has_more:
            return
        after = page.items[-1].id
