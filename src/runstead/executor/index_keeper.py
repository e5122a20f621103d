"""Makes the index follow the rows: what left a store leaves the index, and what the index has lost is read again.

The rows are the truth, and what they do not confirm is never shown: see tools.library. So whatever a crash leaves behind
costs room, or a hit, until the next round.
"""

import asyncio
import random
from contextlib import suppress

import structlog

from runstead.domain.change import Change
from runstead.domain.errors import NotFound, RunsteadError, Unavailable
from runstead.domain.file_writes import AddStoreFiles, DeleteFile, DeleteStoreFile, DeleteVectorStore, SetAttributes
from runstead.executor.ingestion import Means, has_gone, ingest
from runstead.ports import PageRequest
from runstead.wire.base import FileId, VectorStoreId

ROUND_EVERY = 900.0
"""Seconds between comparisons of the whole index with the rows, give or take a fifth."""
PAGE = 100
FOLLOWED_WITHIN = 2.0
"""Seconds an answer waits for the index to know of what it tells."""

log = structlog.get_logger(__name__)

Follows = AddStoreFiles | DeleteFile | DeleteStoreFile | DeleteVectorStore | SetAttributes


class IndexKeeper:
    """One a node; what several of them do twice does no harm."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._committed: asyncio.Queue[Follows] = asyncio.Queue()

    def committed(self, change: Change) -> None:
        """Told of every change this node has stored."""
        for write in change.writes:
            if isinstance(write, Follows):
                self._committed.put_nowait(write)

    async def follow(self) -> None:
        """Bring to the index what was committed here, until cancelled."""
        while True:
            write = await self._committed.get()
            try:
                await self._apply(write)
            except Unavailable as error:
                # The next round finds it.
                log.warning("the index did not follow", reason=str(error))
            finally:
                self._committed.task_done()

    async def followed(self) -> None:
        """Wait until the index knows what was committed here before, but not for long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FOLLOWED_WITHIN):
                await self._committed.join()

    async def keep(self, *, repairs: bool) -> None:
        """Compare index and rows now and then, until cancelled. With `repairs` what is missing is read again."""
        while True:
            try:
                await self._forget_what_is_gone()
                if repairs:
                    await self._read_what_is_missing()
            except Unavailable as error:
                log.warning("the index was not compared", reason=str(error))
            await asyncio.sleep(ROUND_EVERY * random.uniform(0.8, 1.2))

    async def _apply(self, write: Follows) -> None:
        index = self._means.index
        match write:
            case DeleteVectorStore(id):
                await index.drop_store(id)
            case DeleteStoreFile(vector_store_id, file_id):
                await self._forget_if_gone(vector_store_id, file_id)
            case SetAttributes(vector_store_id, file_id):
                await self._tell_attributes(vector_store_id, file_id)
            case AddStoreFiles(vector_store_id, files):
                # Those that were there before keep their chunks and get the new attributes.
                held = await index.attributes(vector_store_id)
                for file in files:
                    if held.get(file.file_id, file.attributes) != file.attributes:
                        await self._tell_attributes(vector_store_id, file.file_id)
            case DeleteFile(id):
                for store_id in await index.stores():
                    await self._forget_if_gone(store_id, id)

    async def _tell_attributes(self, store_id: VectorStoreId, file_id: FileId) -> None:
        """Those of the row: somebody else may have set others meanwhile."""
        with suppress(NotFound):
            record = await self._means.store.get_store_file(store_id, file_id)
            await self._means.index.set_attributes(store_id, file_id, record.file.attributes)

    async def _forget_what_is_gone(self) -> None:
        for store_id in await self._means.index.stores():
            for file_id in await self._means.index.held(store_id):
                await self._forget_if_gone(store_id, file_id)

    async def _forget_if_gone(self, store_id: str, file_id: str) -> None:
        """Asked again, because a file that was taken out may have been put in anew, and read, before we came here."""
        if await has_gone(self._means.store, VectorStoreId(store_id), FileId(file_id)):
            await self._means.index.drop_file(store_id, file_id)

    async def _read_what_is_missing(self) -> None:
        """An index that was damaged, or is of another release, has begun anew with nothing."""
        after: str | None = None
        while True:
            page = await self._means.store.page_vector_stores(PageRequest(PAGE, "asc", after))
            for store in page.items:
                if store.file_counts.completed:
                    await self._mend(store.id)
            if not page.has_more:
                return
            after = page.items[-1].id

    async def _mend(self, store_id: VectorStoreId) -> None:
        held = await self._means.index.attributes(store_id)
        after: str | None = None
        while True:
            request = PageRequest(PAGE, "asc", after)
            page = await self._means.store.page_store_files(store_id, request, "completed")
            for file in page.items:
                if file.id not in held:
                    await self._read_again(store_id, file.id)
                elif held[file.id] != file.attributes:
                    await self._tell_attributes(store_id, file.id)
            if not page.has_more:
                return
            after = page.items[-1].id

    async def _read_again(self, store_id: VectorStoreId, file_id: FileId) -> None:
        try:
            record = await self._means.store.get_store_file(store_id, file_id)
            await ingest(self._means, record)
        except Unavailable:
            raise
        except RunsteadError as error:
            log.warning("not in the index any more", vector_store_id=store_id, file_id=file_id, reason=str(error))
        else:
            log.info("read again", vector_store_id=store_id, file_id=file_id)
