"""v1 names an assistant's files once, for both tools: a change of them is carried into the store for retrieval."""

from runstead.domain import vector_stores
from runstead.domain.change import Write
from runstead.domain.errors import NotFound
from runstead.domain.file_writes import AddStoreFiles, DeleteStoreFile, InsertVectorStore
from runstead.domain.resources import code_files, store_of, with_store
from runstead.domain.vector_stores import has_expired
from runstead.http.api import Api
from runstead.wire.assistants import Assistant
from runstead.wire.base import FileId, VectorStoreId
from runstead.wire.tools import FileSearchTool
from runstead.wire.vector_stores import CreateVectorStore


async def in_step(api: Api, assistant: Assistant, was: Assistant) -> tuple[Assistant, tuple[Write, ...]]:
    """The assistant with a store that has its files, and what is written along; as it is if it has no retrieval."""
    if not _has_retrieval(assistant):
        return assistant, ()
    files, files_before = code_files(assistant.tool_resources), code_files(was.tool_resources)
    id, now = store_of(assistant.tool_resources), api.now()
    if id is None or not await _is_usable(api, id, now):
        if not files:
            return assistant, ()
        id = VectorStoreId(api.new_id("vs_"))
        made = InsertVectorStore(vector_stores.vector_store(id, CreateVectorStore(), now=now))
        writes: tuple[Write, ...] = (made, AddStoreFiles(id, vector_stores.files_of(files, None), now))
        return with_store(assistant, id), writes
    # One that had no retrieval before has put nothing into the store yet.
    known = set(files_before) if _has_retrieval(was) else set()
    added = vector_stores.files_of([file for file in files if file not in known], None)
    removed = [DeleteStoreFile(id, FileId(file)) for file in files_before if file not in files]
    present = [write for write in removed if await _is_in_store(api, write)]
    return assistant, (*present, AddStoreFiles(id, added, now))


def _has_retrieval(assistant: Assistant) -> bool:
    return any(isinstance(tool, FileSearchTool) for tool in assistant.tools)


async def _is_usable(api: Api, id: VectorStoreId, now: int) -> bool:
    try:
        return not has_expired(await api.store.get_vector_store(id), now)
    except NotFound:
        return False


async def _is_in_store(api: Api, write: DeleteStoreFile) -> bool:
    try:
        await api.store.get_store_file(write.vector_store_id, write.file_id)
    except NotFound:
        return False
    return True
