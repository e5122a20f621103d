"""What the writes about files and vector stores ask of a database; see `changes`."""

from collections.abc import Iterable
from typing import assert_never

from runstead.domain.errors import NoFile, NotFound, NotInStore, NoVectorStore, RunsteadError, Stale, StoreFull
from runstead.domain.file_writes import (
    MOST_FILES,
    AddStoreFiles,
    CancelFileBatch,
    DeleteFile,
    DeleteStoreFile,
    DeleteVectorStore,
    FileWrite,
    InsertFile,
    InsertFileBatch,
    InsertVectorStore,
    ReplaceStoreFile,
    ReplaceVectorStore,
    SetAttributes,
    TouchVectorStore,
)
from runstead.store import file_rows
from runstead.store import file_statements as statements
from runstead.store.rows import Row, encode
from runstead.store.steps import REMEMBERED_FOR, Ask, Insert, Step, Swap, Sweep, Touch
from runstead.wire.tools import ToolResources
from runstead.wire.vector_stores import VectorStore


def file_steps(write: FileWrite, now: float) -> list[Step]:
    """Encoding is done here, so its errors are the caller's alone."""
    match write:
        case InsertFile(file):
            stale = Stale(f"file {file.id}")
            return [Insert(statements.INSERT_FILE, file_rows.file_row(file), stale, stale)]
        case DeleteFile(id):
            row: Row = {"id": id, "deleted_at": now}
            # The places in stores first: they go with the file.
            in_stores = Sweep(statements.REMEMBER_FILE_IN_STORES, {"file_id": id, "deleted_at": now} | row)
            return [
                in_stores,
                *_deleting(statements.REMEMBER_FILE, statements.DELETE_FILE, row, NoFile(id), now),
            ]
        case InsertVectorStore(store):
            stale = Stale(f"vector store {store.id}")
            return [Insert(statements.INSERT_STORE, file_rows.store_row(store), stale, stale)]
        case ReplaceVectorStore(store, was):
            return [_replacing_store(store, was)]
        case DeleteVectorStore(id):
            row = {"id": id, "deleted_at": now}
            return _deleting(statements.REMEMBER_STORE, statements.DELETE_STORE, row, NoVectorStore(id), now)
        case TouchVectorStore(id, at):
            return [Sweep(statements.TOUCH_STORE, {"id": id, "at": at})]
        case InsertFileBatch(id, store_id, created_at):
            row = {"id": id, "vector_store_id": store_id, "created_at": created_at}
            return [Insert(statements.INSERT_BATCH, row, Stale(f"file batch {id}"), NoVectorStore(store_id))]
        case CancelFileBatch(store_id, id, cancelled_at):
            row = {"id": id, "vector_store_id": store_id, "cancelled_at": cancelled_at}
            return [
                Touch(statements.CANCEL_BATCH, row, NotFound("file batch", id)),
                Sweep(statements.CANCEL_FILES_OF_BATCH, row),
            ]
        case AddStoreFiles():
            return _adding(write)
        case SetAttributes(store_id, file_id, attributes):
            row = {"vector_store_id": store_id, "file_id": file_id, "attributes": encode(attributes)}
            return [Touch(statements.SET_ATTRIBUTES, row, NotInStore(file_id, store_id))]
        case DeleteStoreFile(store_id, file_id):
            row = {"vector_store_id": store_id, "file_id": file_id, "deleted_at": now}
            return _deleting(
                statements.REMEMBER_STORE_FILE, statements.DELETE_STORE_FILE, row, NotInStore(file_id, store_id), now
            )
        case ReplaceStoreFile(record, was_record):
            stale = Stale(f"file {record.file.id} in {record.file.vector_store_id}")
            return [Touch(statements.REPLACE_STORE_FILE, file_rows.store_file_row(record, was_record), stale)]
        case unreachable:
            assert_never(unreachable)


_NOTHING = ToolResources()


def holding(holder: str, now: ToolResources, was: ToolResources = _NOTHING) -> list[Step]:
    """Note which files an assistant or a thread newly gives to the code interpreter, so that deleting one finds it.

    A file that is not there makes the change stale: who wants to know which one it was asks before.
    """
    stale = Stale(f"a file of {holder}")
    return [
        Insert(statements.HOLD_FILE, {"file_id": id, "holder": holder}, stale, stale)
        for id in _code_files(now)
        if id not in set(_code_files(was))
    ]


def _code_files(resources: ToolResources) -> Iterable[str]:
    return dict.fromkeys(resources.code_interpreter.file_ids) if resources.code_interpreter else ()


def _deleting(remember: str, delete: str, row: Row, refusal: RunsteadError, now: float) -> list[Step]:
    return [
        Touch(remember, row, refusal),
        Touch(delete, row, refusal),
        Sweep(statements.FORGET_PLACES, {"forgotten_before": now - REMEMBERED_FOR}),
    ]


def _replacing_store(store: VectorStore, was: VectorStore) -> Swap:
    before = file_rows.kept(was)
    return Swap(
        statements.GET_STORE_BODY,
        statements.REPLACE_STORE,
        file_rows.store_row(store),
        encode(before),
        lambda body: file_rows.decode_store(body) == before,
        Stale(f"vector store {store.id}"),
    )


def _adding(write: AddStoreFiles) -> list[Step]:
    if not write.files:
        return []
    row = file_rows.added_rows(write)
    stale = Stale(f"vector store {write.vector_store_id}, or a file to be added to it")
    # The limit is judged by what is there afterwards: some of the files may have been there before.
    full = {"vector_store_id": write.vector_store_id, "most": MOST_FILES}
    return [
        Insert(statements.ADD_STORE_FILES, row, stale, stale),
        Ask(statements.FIND_FULL_STORE, full, lambda full_id: StoreFull(full_id, MOST_FILES)),
    ]
