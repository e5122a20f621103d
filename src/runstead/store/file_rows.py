"""Files, stores and their files to rows and back, without a database; see `rows`."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from runstead.domain.file_writes import AddStoreFiles, StoreFileRecord
from runstead.store.rows import Row, encode
from runstead.wire.files import File
from runstead.wire.vector_stores import (
    FileBatch,
    FileCounts,
    IngestionError,
    IngestionStatus,
    StaticStrategy,
    VectorStore,
    VectorStoreFile,
)

DAY = 24 * 3600

decode_file = msgspec.json.Decoder(File).decode
decode_store = msgspec.json.Decoder(VectorStore).decode
_decode_attributes = msgspec.json.Decoder(dict[str, str | int | float | bool]).decode
_decode_strategy = msgspec.json.Decoder(StaticStrategy).decode
_decode_error = msgspec.json.Decoder(IngestionError).decode


def file_row(file: File) -> Row:
    return {"id": file.id, "purpose": file.purpose, "expires_at": file.expires_at, "body": encode(file)}


def kept(store: VectorStore) -> VectorStore:
    """A store without what its row keeps beside the body, or what its files make of it."""
    return replace(
        store, usage_bytes=0, file_counts=FileCounts(), status="completed", expires_at=None, last_active_at=None
    )


def store_row(store: VectorStore) -> Row:
    return {
        "id": store.id,
        "last_active_at": store.last_active_at or store.created_at,
        "expires_after": store.expires_after.days * DAY if store.expires_after else None,
        "body": encode(kept(store)),
    }


def store_of(row: Sequence[Any]) -> VectorStore:
    """A store from (body, last_active_at, usage_bytes, in_progress, completed, failed, cancelled)."""
    store = decode_store(row[0])
    counts = _counts_of(row[3:7])
    return replace(
        store,
        last_active_at=row[1],
        expires_at=row[1] + store.expires_after.days * DAY if store.expires_after else None,
        usage_bytes=row[2],
        file_counts=counts,
        status="in_progress" if counts.in_progress else "completed",
    )


def _counts_of(numbers: Sequence[int]) -> FileCounts:
    in_progress, completed, failed, cancelled = numbers
    return FileCounts(
        in_progress=in_progress, completed=completed, failed=failed, cancelled=cancelled, total=sum(numbers)
    )


def batch_of(row: Sequence[Any]) -> FileBatch:
    """A batch from (id, vector_store_id, created_at, cancelled_at, in_progress, completed, failed, cancelled)."""
    counts = _counts_of(row[4:8])
    return FileBatch(
        id=row[0],
        vector_store_id=row[1],
        created_at=row[2],
        status=_batch_status(counts, is_cancelled=row[3] is not None),
        file_counts=counts,
    )


def _batch_status(counts: FileCounts, *, is_cancelled: bool) -> IngestionStatus:
    if is_cancelled:
        return "cancelled"
    if counts.in_progress:
        return "in_progress"
    return "failed" if counts.failed and counts.failed == counts.total else "completed"


def added_rows(write: AddStoreFiles) -> Row:
    """All files of a write in one row, whose JSON holds what goes into columns as the text it is there."""
    files = [
        {
            "file_id": file.file_id,
            "attributes": encode(file.attributes).decode(),
            "chunking": encode(file.strategy).decode(),
        }
        for file in write.files
    ]
    return {
        "vector_store_id": write.vector_store_id,
        "batch_id": write.batch_id,
        "created_at": write.created_at,
        "files": encode(files).decode(),
    }


def store_file_row(record: StoreFileRecord, was: StoreFileRecord) -> Row:
    """The columns of a replace, and what the row must still say."""
    file = record.file
    return {
        "vector_store_id": file.vector_store_id,
        "file_id": file.id,
        "status": file.status,
        "usage_bytes": file.usage_bytes,
        "last_error": None if file.last_error is None else encode(file.last_error).decode(),
        "epoch": record.epoch,
        "attempts": record.attempts,
        "owner": record.owner,
        "lease_until": record.lease_until,
        "was_status": was.file.status,
        "was_epoch": was.epoch,
        "was_owner": was.owner,
    }


def store_file_of(row: Sequence[Any]) -> StoreFileRecord:
    """A record from the columns of STORE_FILE."""
    return StoreFileRecord(
        file=VectorStoreFile(
            vector_store_id=row[0],
            id=row[1],
            created_at=row[3],
            status=row[4],
            usage_bytes=row[5],
            last_error=None if row[6] is None else _decode_error(row[6]),
            attributes=_decode_attributes(row[7]),
            chunking_strategy=_decode_strategy(row[8]),
        ),
        batch_id=row[2],
        epoch=row[9],
        attempts=row[10],
        owner=row[11],
        lease_until=row[12],
    )
