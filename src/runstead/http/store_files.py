"""/v1/vector_stores/{vector_store_id}/files."""

from runstead.domain import vector_stores
from runstead.domain.change import Change
from runstead.domain.file_writes import AddStoreFiles, DeleteStoreFile, SetAttributes
from runstead.http.api import Api, Call, until_settled
from runstead.http.known_ids import require_files
from runstead.http.pages import listed
from runstead.wire.base import Deleted, FileId, ListPage, VectorStoreId
from runstead.wire.vector_stores import CreateVectorStoreFile, ModifyVectorStoreFile, VectorStoreFile


async def create_store_file(api: Api, call: Call[CreateVectorStoreFile]) -> VectorStoreFile:
    """Add a file to a vector store; it can be searched once it is completed."""
    id, body, now = VectorStoreId(call.path["vector_store_id"]), call.body, api.now()
    file = vector_stores.file_of(body)

    async def create() -> VectorStoreFile:
        await require_open(api, id)
        await require_files(api, [(body.file_id, "file_id")])
        await api.journal.commit(Change(writes=(AddStoreFiles(id, (file,), now),)))
        return (await api.store.get_store_file(id, file.file_id)).file

    return await until_settled(create)


async def require_open(api: Api, id: VectorStoreId) -> None:
    """Raises NotFound or ExpiredStore."""
    if vector_stores.has_expired(await api.store.get_vector_store(id), api.now()):
        raise vector_stores.ExpiredStore(id)


async def list_store_files(api: Api, call: Call[None]) -> ListPage[VectorStoreFile]:
    """List a vector store's files, all or those in one state."""
    id = VectorStoreId(call.path["vector_store_id"])
    return listed(await api.store.page_store_files(id, call.query.page, call.query.filter))


async def get_store_file(api: Api, call: Call[None]) -> VectorStoreFile:
    """Retrieve a file of a vector store."""
    return (await api.store.get_store_file(*_place(call))).file


async def modify_store_file(api: Api, call: Call[ModifyVectorStoreFile]) -> VectorStoreFile:
    """Replace the attributes of a file of a vector store, whoever ingests it."""
    place = _place(call)
    # Asked first so that an unknown store is named before an unknown file.
    await api.store.get_store_file(*place)
    await api.journal.commit(Change(writes=(SetAttributes(*place, call.body.attributes or {}),)))
    await api.library.followed()
    return (await api.store.get_store_file(*place)).file


async def delete_store_file(api: Api, call: Call[None]) -> Deleted:
    """Take a file out of a vector store; the file itself stays."""
    place = _place(call)
    await api.store.get_store_file(*place)
    await api.journal.commit(Change(writes=(DeleteStoreFile(*place),)))
    return Deleted(id=place[1], object="vector_store.file.deleted")


def _place(call: Call[ModifyVectorStoreFile] | Call[None]) -> tuple[VectorStoreId, FileId]:
    return VectorStoreId(call.path["vector_store_id"]), FileId(call.path["file_id"])
