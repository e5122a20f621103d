"""What a change may write of files and vector stores, as values."""

from msgspec import Struct

from runstead.wire.base import BatchId, FileId, VectorStoreId
from runstead.wire.files import File
from runstead.wire.vector_stores import StaticStrategy, VectorStore, VectorStoreFile

MOST_FILES = 10_000
"""Files in one store."""


class InsertFile(Struct, frozen=True):
    """A new file; its contents must be stored already."""

    file: File


class DeleteFile(Struct, frozen=True):
    """Remove it, from every vector store too; NoFile if it is not there. Its contents are to be removed afterwards."""

    id: FileId


class InsertVectorStore(Struct, frozen=True):
    """A new store, empty."""

    store: VectorStore


class ReplaceVectorStore(Struct, frozen=True):
    """The store as it shall be; Stale unless it still says what `was` says. Neither its files nor its last use."""

    store: VectorStore
    was: VectorStore


class DeleteVectorStore(Struct, frozen=True):
    """Remove it and detach its files; NotFound if it is not there."""

    id: VectorStoreId


class TouchVectorStore(Struct, frozen=True):
    """Note a use, which puts off the store's expiry. Nothing happens to one that is expired or gone."""

    id: VectorStoreId
    at: int


class InsertFileBatch(Struct, frozen=True):
    """A new batch, empty; NotFound without its store."""

    id: BatchId
    vector_store_id: VectorStoreId
    created_at: int


class CancelFileBatch(Struct, frozen=True):
    """Cancel those of its files that are in progress, whoever ingests them; NotFound if it is not in that store."""

    vector_store_id: VectorStoreId
    id: BatchId
    now: int


class NewStoreFile(Struct, frozen=True):
    """A file to be added to a store."""

    file_id: FileId
    attributes: dict[str, str | int | float | bool]
    strategy: StaticStrategy


class AddStoreFiles(Struct, frozen=True):
    """Put files into a store, to be ingested; Stale if the store or one of the files is gone, StoreFull beyond the limit.

    One that is there already gets the new attributes and joins the batch. It is ingested anew only if it failed, was
    cancelled, or shall be chunked otherwise.
    """

    vector_store_id: VectorStoreId
    files: tuple[NewStoreFile, ...]
    created_at: int
    batch_id: BatchId | None = None


class SetAttributes(Struct, frozen=True):
    """Give a store file other attributes, whoever ingests it; NotFound if it is not in that store."""

    vector_store_id: VectorStoreId
    file_id: FileId
    attributes: dict[str, str | int | float | bool]


class DeleteStoreFile(Struct, frozen=True):
    """Take a file out of a store; NotFound if it is not in it. The file itself stays."""

    vector_store_id: VectorStoreId
    file_id: FileId


class StoreFileRecord(Struct, frozen=True, kw_only=True):
    """A store file and who ingests it: owner, epoch and lease are those of a run's record, for the same reasons.

    `attempts` counts claims, so that a file that kills who reads it runs out of them.
    """

    file: VectorStoreFile
    batch_id: BatchId | None = None
    epoch: int = 0
    attempts: int = 0
    owner: str | None = None
    lease_until: float | None = None


class ReplaceStoreFile(Struct, frozen=True):
    """Claim, renew, finish or give back an ingestion. Stale unless status, owner and epoch are still those of `was`.

    Attributes, batch and strategy are not written.
    """

    record: StoreFileRecord
    was: StoreFileRecord


FileWrite = (
    InsertFile
    | DeleteFile
    | InsertVectorStore
    | ReplaceVectorStore
    | DeleteVectorStore
    | TouchVectorStore
    | InsertFileBatch
    | CancelFileBatch
    | AddStoreFiles
    | SetAttributes
    | DeleteStoreFile
    | ReplaceStoreFile
)
