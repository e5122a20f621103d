"""Vector stores and what is put into them, from what a client sent."""

from collections.abc import Sequence

from msgspec import UNSET
from msgspec.structs import replace

from runstead.domain.errors import InvalidRequest, shown
from runstead.domain.file_writes import NewStoreFile
from runstead.wire.base import FileId, VectorStoreId
from runstead.wire.vector_stores import (
    AutoStrategy,
    ChunkingStrategy,
    CreateFileBatch,
    CreateVectorStore,
    CreateVectorStoreFile,
    ModifyVectorStore,
    StaticChunking,
    StaticStrategy,
    VectorStore,
)


class ExpiredStore(InvalidRequest):
    """Nothing is added to a store whose time is over."""

    def __init__(self, id: str) -> None:
        super().__init__(f"Vector store '{shown(id)}' is expired.")


def vector_store(id: VectorStoreId, body: CreateVectorStore, *, now: int) -> VectorStore:
    """A new store, empty as yet."""
    return VectorStore(
        id=id,
        created_at=now,
        last_active_at=now,
        name=body.name,
        description=body.description,
        expires_after=body.expires_after,
        metadata=body.metadata or {},
    )


def modified_vector_store(was: VectorStore, body: ModifyVectorStore) -> VectorStore:
    """The store with what was given; null clears."""
    store = was
    if body.name is not UNSET:
        store = replace(store, name=body.name)
    if body.expires_after is not UNSET:
        store = replace(store, expires_after=body.expires_after)
    if body.metadata is not UNSET:
        store = replace(store, metadata=body.metadata or {})
    return store


def as_of(store: VectorStore, now: int) -> VectorStore:
    """The store as it is shown at a moment."""
    return replace(store, status="expired") if has_expired(store, now) else store


def has_expired(store: VectorStore, now: int) -> bool:
    """Whether the store's time is over. Only its row can tell; nobody is needed to notice."""
    return store.expires_at is not None and store.expires_at <= now


def strategy(given: ChunkingStrategy | None, at: str = "") -> StaticStrategy:
    """API: what is chosen automatically is shown as the sizes that it means."""
    if given is None or isinstance(given, AutoStrategy):
        return StaticStrategy(StaticChunking())
    sizes = given.static
    if 2 * sizes.chunk_overlap_tokens > sizes.max_chunk_size_tokens:
        param = f"{at}chunking_strategy.static.chunk_overlap_tokens"
        raise InvalidRequest(
            f"Invalid '{param}': must not exceed half of 'max_chunk_size_tokens' ({sizes.max_chunk_size_tokens}), "
            f"but got {sizes.chunk_overlap_tokens}.",
            param=param,
            code="invalid_value",
        )
    return given


def files_of(ids: Sequence[str], chunking: ChunkingStrategy | None, at: str = "") -> tuple[NewStoreFile, ...]:
    """Files without attributes, all chunked alike; each once."""
    chosen = strategy(chunking, at)
    return tuple(NewStoreFile(FileId(id), {}, chosen) for id in dict.fromkeys(ids))


def file_of(body: CreateVectorStoreFile, by: CreateFileBatch | None = None, at: str = "") -> NewStoreFile:
    """One file; what it does not say is taken from its batch."""
    attributes = body.attributes if body.attributes is not None or by is None else by.attributes
    chunking = body.chunking_strategy if body.chunking_strategy is not None or by is None else by.chunking_strategy
    return NewStoreFile(FileId(body.file_id), attributes or {}, strategy(chunking, at))


def batch_files(body: CreateFileBatch) -> tuple[NewStoreFile, ...]:
    """The files of a batch; of one that is named twice the last counts."""
    if body.file_ids is not None and body.files is not None:
        raise InvalidRequest(
            "Only one of 'file_ids' and 'files' may be specified.", param="files", code="invalid_value"
        )
    if body.files is not None:
        files = [file_of(each, body, f"files[{i}].") for i, each in enumerate(body.files)]
    elif body.file_ids is not None:
        alike = strategy(body.chunking_strategy)
        files = [NewStoreFile(FileId(id), body.attributes or {}, alike) for id in body.file_ids]
    else:
        raise InvalidRequest(
            "Missing required parameter: 'file_ids'.", param="file_ids", code="missing_required_parameter"
        )
    return tuple({file.file_id: file for file in files}.values())
