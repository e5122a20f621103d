"""/v1/vector_stores."""

from runstead.domain import vector_stores
from runstead.domain.change import Change
from runstead.domain.file_writes import AddStoreFiles, DeleteVectorStore, InsertVectorStore, ReplaceVectorStore
from runstead.http.api import Api, Call, until_settled
from runstead.http.known_ids import in_list, require_files
from runstead.http.pages import listed
from runstead.ports import Page
from runstead.wire.base import Deleted, ListPage, VectorStoreId
from runstead.wire.vector_stores import CreateVectorStore, ModifyVectorStore, VectorStore


async def create_vector_store(api: Api, call: Call[CreateVectorStore]) -> VectorStore:
    """Create a vector store, with files if the body names some."""
    body, now = call.body, api.now()
    store = vector_stores.vector_store(VectorStoreId(api.new_id("vs_")), body, now=now)
    files = vector_stores.files_of(body.file_ids or (), body.chunking_strategy)

    async def create() -> VectorStore:
        await require_files(api, in_list(body.file_ids, "file_ids"))
        await api.journal.commit(Change(writes=(InsertVectorStore(store), AddStoreFiles(store.id, files, now))))
        return await _shown(api, store.id)

    return await until_settled(create)


async def list_vector_stores(api: Api, call: Call[None]) -> ListPage[VectorStore]:
    """List vector stores."""
    page, now = await api.store.page_vector_stores(call.query.page), api.now()
    return listed(Page([vector_stores.as_of(store, now) for store in page.items], page.has_more))


async def get_vector_store(api: Api, call: Call[None]) -> VectorStore:
    """Retrieve a vector store."""
    return await _shown(api, VectorStoreId(call.path["vector_store_id"]))


async def modify_vector_store(api: Api, call: Call[ModifyVectorStore]) -> VectorStore:
    """Change name, expiry or metadata."""
    id = VectorStoreId(call.path["vector_store_id"])

    async def modify() -> VectorStore:
        was = await api.store.get_vector_store(id)
        store = vector_stores.modified_vector_store(was, call.body)
        await api.journal.commit(Change(writes=(ReplaceVectorStore(store, was),)))
        return await _shown(api, id)

    return await until_settled(modify)


async def delete_vector_store(api: Api, call: Call[None]) -> Deleted:
    """Delete a vector store; its files stay."""
    id = VectorStoreId(call.path["vector_store_id"])
    await api.journal.commit(Change(writes=(DeleteVectorStore(id),)))
    return Deleted(id=id, object="vector_store.deleted")


async def _shown(api: Api, id: VectorStoreId) -> VectorStore:
    return vector_stores.as_of(await api.store.get_vector_store(id), api.now())
