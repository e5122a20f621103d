"""What is read of files, vector stores and what is in them; see `reads`."""

from collections.abc import Iterable, Sequence
from typing import Any

from runstead.domain.errors import NoFile, NotFound, NotInStore, NoVectorStore
from runstead.domain.file_writes import StoreFileRecord
from runstead.ports import Page, PageRequest
from runstead.store import file_rows
from runstead.store import file_statements as statements
from runstead.store.asking import Asking
from runstead.store.rows import Row, encode
from runstead.store.statements import Listing
from runstead.wire.base import BatchId, FileId, VectorStoreId
from runstead.wire.files import File
from runstead.wire.vector_stores import FileBatch, IngestionStatus, VectorStore, VectorStoreFile


class FileReads(Asking):
    """The part of the Store that a run does not need."""

    async def contents_name(self) -> str:
        name: str = (await self.all_rows(statements.CONTENTS_NAME, {}))[0][0]
        return name

    async def get_file(self, id: FileId) -> File:
        return file_rows.decode_file((await self._get(statements.GET_FILE, NoFile(id), {"id": id}))[0])

    async def page_files(self, page: PageRequest, purpose: str | None = None) -> Page[File]:
        listing = statements.FILES if purpose is None else statements.FILES_FOR
        found, has_more = await self._page(listing, page, {"purpose": purpose})
        return Page([file_rows.decode_file(row[0]) for row in found], has_more)

    async def known_files(self, ids: Iterable[str]) -> set[str]:
        wanted = encode(list(dict.fromkeys(ids))).decode()
        return {row[0] for row in await self.all_rows(statements.KNOWN_FILES, {"ids": wanted})}

    async def find_files(self, ids: Iterable[str]) -> list[File]:
        wanted = encode(list(dict.fromkeys(ids))).decode()
        return [file_rows.decode_file(row[0]) for row in await self.all_rows(statements.FIND_FILES, {"ids": wanted})]

    async def expired_files(self, now: float, limit: int) -> list[File]:
        found = await self.all_rows(statements.EXPIRED_FILES, {"now": now, "limit": limit})
        return [file_rows.decode_file(row[0]) for row in found]

    async def holders_of(self, file_id: FileId) -> list[str]:
        return [row[0] for row in await self.all_rows(statements.HOLDERS_OF_FILE, {"file_id": file_id})]

    async def get_vector_store(self, id: VectorStoreId) -> VectorStore:
        return file_rows.store_of(await self._get(statements.GET_STORE, NoVectorStore(id), {"id": id}))

    async def page_vector_stores(self, page: PageRequest) -> Page[VectorStore]:
        found, has_more = await self._page(statements.STORES, page, {})
        return Page([file_rows.store_of(row) for row in found], has_more)

    async def get_store_file(self, vector_store_id: VectorStoreId, file_id: FileId) -> StoreFileRecord:
        scope = {"vector_store_id": vector_store_id, "file_id": file_id}
        found = await self._in_store(statements.GET_STORE_FILE, NotInStore(file_id, vector_store_id), scope)
        return file_rows.store_file_of(found)

    async def find_store_files(self, vector_store_id: VectorStoreId, ids: Iterable[str]) -> list[StoreFileRecord]:
        wanted = encode(list(dict.fromkeys(ids))).decode()
        scope = {"vector_store_id": vector_store_id, "ids": wanted}
        return [file_rows.store_file_of(row) for row in await self.all_rows(statements.FIND_STORE_FILES, scope)]

    async def page_store_files(
        self, vector_store_id: VectorStoreId, page: PageRequest, status: IngestionStatus | None = None
    ) -> Page[VectorStoreFile]:
        await self._require_store(vector_store_id)
        listing = statements.STORE_FILES if status is None else statements.STORE_FILES_IN
        return await self._files(listing, page, {"vector_store_id": vector_store_id, "status": status})

    async def get_file_batch(self, vector_store_id: VectorStoreId, id: BatchId) -> FileBatch:
        scope = {"vector_store_id": vector_store_id, "id": id}
        return file_rows.batch_of(await self._in_store(statements.GET_BATCH, NotFound("file batch", id), scope))

    async def page_batch_files(
        self, vector_store_id: VectorStoreId, id: BatchId, page: PageRequest, status: IngestionStatus | None = None
    ) -> Page[VectorStoreFile]:
        await self.get_file_batch(vector_store_id, id)
        listing = statements.BATCH_FILES if status is None else statements.BATCH_FILES_IN
        return await self._files(listing, page, {"vector_store_id": vector_store_id, "batch_id": id, "status": status})

    async def unfinished_files(self, now: float, limit: int) -> list[StoreFileRecord]:
        found = await self.all_rows(statements.UNFINISHED_FILES, {"now": now, "limit": limit})
        return [file_rows.store_file_of(row) for row in found]

    async def count_unfinished_files(self) -> int:
        count: int = (await self.all_rows(statements.COUNT_UNFINISHED_FILES, {}))[0][0]
        return count

    async def _files(self, listing: Listing, page: PageRequest, scope: Row) -> Page[VectorStoreFile]:
        found, has_more = await self._page(listing, page, scope)
        return Page([file_rows.store_file_of(row).file for row in found], has_more)

    async def _in_store(self, statement: str, refusal: NotFound, scope: Row) -> Sequence[Any]:
        """Whether the store is there is asked only of who found nothing in it."""
        found = await self.find_row(statement, scope)
        if found is None:
            await self._require_store(scope["vector_store_id"])
            raise refusal
        return found

    async def _require_store(self, id: str) -> None:
        await self._get(statements.GET_STORE_BODY, NoVectorStore(id), {"id": id})
