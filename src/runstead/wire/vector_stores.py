"""Vector stores, the files in them, and the batches in which files are added."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from runstead.wire.base import BatchId, Body, FileId, Metadata, Resource, Text256, Text512, Timestamp, VectorStoreId

IngestionStatus = Literal["in_progress", "completed", "cancelled", "failed"]
IngestionErrorCode = Literal["server_error", "unsupported_file", "invalid_file"]

# Integers stay integers as far as every client's numbers reach.
Whole = Annotated[int, Meta(ge=-(2**53), le=2**53)]
AttributeValue = Annotated[str, Meta(max_length=512)] | Whole | float | bool
Attributes = Annotated[dict[Annotated[str, Meta(max_length=64)], AttributeValue], Meta(max_length=16)]


class StoreExpiry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a store outlives its last use."""

    anchor: Literal["last_active_at"]
    days: Annotated[int, Meta(ge=1, le=365)]


class FileCounts(Struct, frozen=True, kw_only=True):
    """How many files are in which state."""

    in_progress: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    total: int = 0


class VectorStore(Resource, frozen=True, kw_only=True):
    """Files made searchable."""

    id: VectorStoreId
    object: Literal["vector_store"] = "vector_store"
    created_at: Timestamp
    name: str | None = None
    description: str | None = None
    usage_bytes: int = 0
    file_counts: FileCounts = FileCounts()
    status: Literal["expired", "in_progress", "completed"] = "completed"
    expires_after: StoreExpiry | None = None
    expires_at: Timestamp | None = None
    last_active_at: Timestamp | None = None
    metadata: dict[str, str] = {}


class StaticChunking(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sizes of chunks in tokens."""

    max_chunk_size_tokens: Annotated[int, Meta(ge=100, le=4_096)] = 800
    chunk_overlap_tokens: Annotated[int, Meta(ge=0, le=2_048)] = 400


class StaticStrategy(Struct, frozen=True, tag_field="type", tag="static", forbid_unknown_fields=True):
    """Chunks of one size."""

    static: StaticChunking


class AutoStrategy(Struct, frozen=True, tag_field="type", tag="auto", forbid_unknown_fields=True):
    """The default sizes. API: shown as `static` in answers."""


ChunkingStrategy = AutoStrategy | StaticStrategy


class IngestionError(Struct, frozen=True):
    """Why a file cannot be searched."""

    code: IngestionErrorCode
    message: str


class VectorStoreFile(Resource, frozen=True, kw_only=True):
    """A file in a store. API: its id is the file's."""

    id: FileId
    object: Literal["vector_store.file"] = "vector_store.file"
    usage_bytes: int = 0
    created_at: Timestamp
    vector_store_id: VectorStoreId
    status: IngestionStatus = "in_progress"
    last_error: IngestionError | None = None
    chunking_strategy: StaticStrategy = StaticStrategy(StaticChunking())
    attributes: dict[str, str | int | float | bool] = {}


class FileBatch(Resource, frozen=True, kw_only=True):
    """Files that were added to a store together."""

    id: BatchId
    object: Literal["vector_store.files_batch"] = "vector_store.files_batch"
    created_at: Timestamp
    vector_store_id: VectorStoreId
    status: IngestionStatus
    file_counts: FileCounts


class CreateVectorStore(Body, frozen=True, kw_only=True):
    """POST /vector_stores."""

    file_ids: Annotated[list[str], Meta(max_length=500)] | None = None
    name: Text256 | None = None
    description: Text512 | None = None
    expires_after: StoreExpiry | None = None
    chunking_strategy: ChunkingStrategy | None = None
    metadata: Metadata | None = None


class ModifyVectorStore(Body, frozen=True, kw_only=True):
    """POST /vector_stores/{id}: absent leaves a field, null clears it."""

    name: Text256 | None | UnsetType = UNSET
    expires_after: StoreExpiry | None | UnsetType = UNSET
    metadata: Metadata | None | UnsetType = UNSET


class CreateVectorStoreFile(Body, frozen=True, kw_only=True):
    """POST /vector_stores/{id}/files, and each of a batch's `files`."""

    file_id: str
    chunking_strategy: ChunkingStrategy | None = None
    attributes: Attributes | None = None


class ModifyVectorStoreFile(Body, frozen=True, kw_only=True):
    """POST /vector_stores/{id}/files/{id}: the attributes given replace those there are."""

    attributes: Attributes | None


class CreateFileBatch(Body, frozen=True, kw_only=True):
    """POST /vector_stores/{id}/file_batches: `file_ids`, or `files` that say more of each."""

    file_ids: Annotated[list[str], Meta(min_length=1, max_length=2_000)] | None = None
    files: Annotated[list[CreateVectorStoreFile], Meta(min_length=1, max_length=2_000)] | None = None
    chunking_strategy: ChunkingStrategy | None = None
    attributes: Attributes | None = None
