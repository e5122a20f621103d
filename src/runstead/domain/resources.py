"""Tool resources from what a client said, with the vector store that is made along with them."""

from typing import NamedTuple

from msgspec.structs import replace

from runstead.domain import vector_stores
from runstead.domain.errors import InvalidRequest
from runstead.domain.file_writes import AddStoreFiles, FileWrite, InsertVectorStore
from runstead.wire.assistants import Assistant
from runstead.wire.base import VectorStoreId
from runstead.wire.tool_resources import FileSearchInput, ResourcesChange, ResourcesInput
from runstead.wire.tools import CodeInterpreterResources, FileSearchResources, ToolResources
from runstead.wire.vector_stores import CreateVectorStore, StoreExpiry

THREAD_STORES_EXPIRE = StoreExpiry(anchor="last_active_at", days=7)
"""API: a store that is made for a thread, and not by its name, does not stay for ever."""


class Resolved(NamedTuple):
    """Resources as they are stored, and what is written along."""

    resources: ToolResources
    writes: tuple[FileWrite, ...] = ()


def refuse_two_kinds(given: ResourcesInput | ResourcesChange, at: str) -> None:
    """Raises InvalidRequest for a store that is there and one to be made."""
    search = given.file_search
    if isinstance(search, FileSearchInput) and search.vector_store_ids and search.vector_stores:
        raise InvalidRequest(
            "Only one of 'vector_store_ids' and 'vector_stores' may be specified.",
            param=f"{at}tool_resources.file_search",
            code="invalid_value",
        )


def resolved(
    given: ResourcesInput | ResourcesChange,
    new_store: VectorStoreId,
    *,
    now: int,
    expires_after: StoreExpiry | None,
    at: str,
) -> Resolved:
    """`new_store` is the id of a store to be made, if there is one; what is named has been found to be there."""
    code = None
    if given.code_interpreter is not None:
        code = CodeInterpreterResources(list(dict.fromkeys(given.code_interpreter.file_ids)))
    search = given.file_search
    if search is None:
        return Resolved(ToolResources(code))
    if not isinstance(search, FileSearchInput) or not search.vector_stores:
        return Resolved(ToolResources(code, FileSearchResources(search.vector_store_ids)))
    [new] = search.vector_stores
    body = CreateVectorStore(metadata=new.metadata, expires_after=expires_after)
    files = vector_stores.files_of(
        new.file_ids, new.chunking_strategy, f"{at}tool_resources.file_search.vector_stores[0]."
    )
    writes = (
        InsertVectorStore(vector_stores.vector_store(new_store, body, now=now)),
        AddStoreFiles(new_store, files, now),
    )
    return Resolved(ToolResources(code, FileSearchResources([new_store])), writes)


def store_of(resources: ToolResources) -> VectorStoreId | None:
    """The store that file search reads."""
    ids = resources.file_search.vector_store_ids if resources.file_search else []
    return VectorStoreId(ids[0]) if ids else None


def with_store(assistant: Assistant, id: VectorStoreId) -> Assistant:
    """The assistant with this store for file search."""
    return replace(assistant, tool_resources=replace(assistant.tool_resources, file_search=FileSearchResources([id])))


def code_files(resources: ToolResources) -> list[str]:
    """The files that the code interpreter has."""
    return resources.code_interpreter.file_ids if resources.code_interpreter else []
