"""/v1/vector_stores/{vector_store_id}/file_batches."""

from runstead.domain import vector_stores
from runstead.domain.change import Change
from runstead.domain.file_writes import AddStoreFiles, CancelFileBatch, InsertFileBatch
from runstead.http.api import Api, Call, until_settled
from runstead.http.known_ids import Named, in_list, require_files
from runstead.http.pages import listed
from runstead.http.store_files import require_open
from runstead.wire.base import BatchId, ListPage, VectorStoreId
from runstead.wire.vector_stores import CreateFileBatch, FileBatch, VectorStoreFile


async def create_file_batch(api: Api, call: Call[CreateFileBatch]) -> FileBatch:
    """Add files to a vector store together."""
    store_id, id, now = VectorStoreId(call.path["vector_store_id"]), BatchId(api.new_id("vsfb_")), api.now()
    files = vector_stores.batch_files(call.body)

    async def create() -> FileBatch:
        await require_open(api, store_id)
        await require_files(api, _named(call.body))
        writes = (InsertFileBatch(id, store_id, now), AddStoreFiles(store_id, files, now, id))
        await api.journal.commit(Change(writes=writes))
        return await api.store.get_file_batch(store_id, id)

    return await until_settled(create)


def _named(body: CreateFileBatch) -> Named:
    if body.files is not None:
        return [(file.file_id, f"files[{i}].file_id") for i, file in enumerate(body.files)]
    return in_list(body.file_ids, "file_ids")


async def get_file_batch(api: Api, call: Call[None]) -> FileBatch:
    """Retrieve a batch, with how far its files have come."""
    return await api.store.get_file_batch(*_place(call))


async def cancel_file_batch(api: Api, call: Call[None]) -> FileBatch:
    """Stop ingesting those files of a batch that are in progress."""
    place = _place(call)
    # Asked first so that an unknown store is named before an unknown batch.
    await api.store.get_file_batch(*place)
    await api.journal.commit(Change(writes=(CancelFileBatch(*place, api.now()),)))
    return await api.store.get_file_batch(*place)


async def list_batch_files(api: Api, call: Call[None]) -> ListPage[VectorStoreFile]:
    """List the files of a batch, all or those in one state."""
    return listed(await api.store.page_batch_files(*_place(call), call.query.page, call.query.filter))


def _place(call: Call[None]) -> tuple[VectorStoreId, BatchId]:
    return VectorStoreId(call.path["vector_store_id"]), BatchId(call.path["batch_id"])
