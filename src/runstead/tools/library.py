"""The vector stores as one thing to look in: what the file search tool and the search operation have in common."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from msgspec import Struct
from msgspec.structs import replace

from runstead.domain import attribute_filter, ingestion, vector_stores
from runstead.domain.attribute_filter import Filter
from runstead.domain.change import Change
from runstead.domain.chunking import Chunk
from runstead.domain.errors import EmbeddingFailed, NotFound, ToolFailed
from runstead.domain.file_writes import TouchVectorStore
from runstead.journal import Journal
from runstead.ports import Clock, Embedder, FoundPassage, Hit, Index, Query, Ranking, Reranker, Store
from runstead.wire.base import VectorStoreId
from runstead.wire.vector_stores import VectorStore, VectorStoreFile

LOOKS_EVERY = 0.25
"""Seconds between looks at a store whose files are still being read."""
TOUCHED_EVERY = 60
"""Seconds within which a second use of a store is not noted again: its life is counted in days."""
CANDIDATES = 50
"""Hits that a reranker reads."""

log = structlog.get_logger(__name__)


class Found(Struct, frozen=True, kw_only=True):
    """A chunk of a file that is still there."""

    hit: Hit
    filename: str
    attributes: dict[str, str | int | float | bool]


class Library:
    """See ports.Library. Without an embedder, or while it fails, files are found by their words."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        clock: Clock,
        index: Index,
        *,
        embedder: Embedder | None = None,
        reranker: Reranker | None = None,
        followed: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self._index = index
        self._embedder = embedder
        self._reranker = reranker
        self._followed = followed

    async def followed(self) -> None:
        """Wait until searches see what this node has committed, but not for long."""
        if self._followed is not None:
            await self._followed()

    async def settle(self, store_id: str, timeout: float) -> None:
        """See ports.Library."""
        try:
            async with asyncio.timeout(timeout):
                # The files may be read on another node, which tells nobody but the rows.
                while True:
                    store = await self._store.get_vector_store(VectorStoreId(store_id))
                    if store.file_counts.in_progress == 0:
                        return
                    await asyncio.sleep(LOOKS_EVERY)
        except (TimeoutError, NotFound):
            return

    async def search(
        self, store_ids: Sequence[str], query: str, *, limit: int, score_threshold: float
    ) -> list[FoundPassage]:
        """See ports.Library. A store that was deleted has nothing to be found."""
        usable = [store_id for store_id in store_ids if await self._is_usable(store_id)]
        found = await self.find(usable, [query], limit=limit, ranking=Ranking(score_threshold=score_threshold))
        return [
            FoundPassage(file_id=each.hit.file_id, file_name=each.filename, score=each.hit.score, text=each.hit.text)
            for each in found
        ]

    async def _is_usable(self, store_id: str) -> bool:
        try:
            store = await self._store.get_vector_store(VectorStoreId(store_id))
        except NotFound:
            return False
        now = int(self._clock.now())
        if vector_stores.has_expired(store, now):
            raise ToolFailed(f"The vector store {store_id} has expired; attach another one, or none, and run again.")
        await self._touch(store, now)
        return True

    async def touch(self, store_id: VectorStoreId) -> None:
        """Note that a store is used. Raises NotFound."""
        await self._touch(await self._store.get_vector_store(store_id), int(self._clock.now()))

    async def _touch(self, store: VectorStore, now: int) -> None:
        # Not if that was noted a moment ago.
        if store.last_active_at is None or now - store.last_active_at >= TOUCHED_EVERY:
            await self._journal.commit(Change(writes=(TouchVectorStore(store.id, now),)))

    async def contents(self, store_id: str, file_id: str) -> list[Chunk]:
        """What a store's file was read as; empty until it has been."""
        return await self._index.contents(store_id, file_id)

    async def find(
        self,
        store_ids: Sequence[str],
        texts: Sequence[str],
        *,
        limit: int,
        ranking: Ranking,
        filter: Filter | None = None,
        reranks: bool = True,
    ) -> list[Found]:
        """The best chunks of these stores for these texts together, best first. Raises Unavailable."""
        if not store_ids:
            return []
        queries = [Query(text, await self._vectors(text)) for text in texts]
        reranker = self._reranker if reranks else None
        if reranker is None:
            hits = await self._index.search(store_ids, queries, limit=limit, filter=filter, ranking=ranking)
        else:
            # Its own scores are held to the threshold, so it reads those with a lower one as well.
            every = replace(ranking, score_threshold=0.0)
            most = max(limit, CANDIDATES)
            hits = await self._index.search(store_ids, queries, limit=most, filter=filter, ranking=every)
            hits = await _reranked(reranker, " ".join(texts), hits) if hits else []
            hits = [hit for hit in hits if hit.score >= ranking.score_threshold]
        return await self._still_there(hits[:limit], filter)

    async def _vectors(self, text: str) -> dict[str, bytes]:
        if self._embedder is None:
            return {}
        try:
            return {self._embedder.name: await self._embedder.embed_query(text)}
        except EmbeddingFailed as failure:
            log.warning("searched by words alone", reason=str(failure))
            return {}

    async def _still_there(self, hits: Sequence[Hit], filter: Filter | None) -> list[Found]:
        """The index follows the rows; what it has not heard of yet is not shown."""
        names = {file.id: file.filename for file in await self._store.find_files(hit.file_id for hit in hits)}
        shown: dict[tuple[str, str], VectorStoreFile] = {}
        for store_id in {hit.store_id for hit in hits}:
            ids = [hit.file_id for hit in hits if hit.store_id == store_id]
            for record in await self._store.find_store_files(VectorStoreId(store_id), ids):
                if record.file.id in names and _may_be_shown(record.file, filter):
                    shown[store_id, record.file.id] = record.file
        return [
            Found(hit=hit, filename=names[file.id], attributes=file.attributes)
            for hit in hits
            if (file := shown.get((hit.store_id, hit.file_id))) is not None
        ]


def _may_be_shown(file: VectorStoreFile, filter: Filter | None) -> bool:
    if ingestion.is_hidden(file):
        return False
    return filter is None or attribute_filter.matches(filter, file.attributes)


async def _reranked(reranker: Reranker, query: str, hits: list[Hit]) -> list[Hit]:
    try:
        scores = await reranker.scores(query, [hit.text for hit in hits])
    except EmbeddingFailed as failure:
        log.warning("not reranked", reason=str(failure))
        return hits
    judged = sorted(zip(scores, hits, strict=True), key=lambda pair: -pair[0])
    return [replace(hit, score=score) for score, hit in judged]
