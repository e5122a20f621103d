"""Stores and what is put into them, from what a client sent."""

import pytest
from msgspec import UNSET

from runstead.domain import vector_stores
from runstead.domain.errors import InvalidRequest
from runstead.wire.base import VectorStoreId
from runstead.wire.vector_stores import (
    AutoStrategy,
    CreateFileBatch,
    CreateVectorStore,
    CreateVectorStoreFile,
    ModifyVectorStore,
    StaticChunking,
    StaticStrategy,
    StoreExpiry,
    VectorStore,
)

NOW = 1_700_000_000
ID = VectorStoreId("vs_1")
WEEK = StoreExpiry(anchor="last_active_at", days=7)
DEFAULT = StaticStrategy(StaticChunking(max_chunk_size_tokens=800, chunk_overlap_tokens=400))
SMALL = StaticStrategy(StaticChunking(max_chunk_size_tokens=100, chunk_overlap_tokens=50))
FULL = VectorStore(id=ID, created_at=NOW, name="n", expires_after=WEEK, metadata={"k": "v"})


def test_a_new_store_is_active_from_its_creation_on():
    made = vector_stores.vector_store(ID, CreateVectorStore(name="n", expires_after=WEEK), now=NOW)

    assert (made.created_at, made.last_active_at, made.name, made.expires_after) == (NOW, NOW, "n", WEEK)
    assert (made.metadata, made.status) == ({}, "completed")


@pytest.mark.parametrize(
    ("body", "name", "expiry", "metadata"),
    [
        (ModifyVectorStore(), "n", WEEK, {"k": "v"}),
        (ModifyVectorStore(name=None, expires_after=None, metadata=None), None, None, {}),
        (ModifyVectorStore(name="m", metadata={}), "m", WEEK, {}),
        (ModifyVectorStore(name=UNSET), "n", WEEK, {"k": "v"}),
    ],
)
def test_null_clears_and_absence_leaves(body, name, expiry, metadata):
    store = vector_stores.modified_vector_store(FULL, body)

    assert (store.name, store.expires_after, store.metadata) == (name, expiry, metadata)


@pytest.mark.parametrize(
    ("expires_at", "status"), [(None, "completed"), (NOW + 1, "completed"), (NOW, "expired"), (NOW - 1, "expired")]
)
def test_a_store_expires_at_its_moment(expires_at, status):
    assert vector_stores.as_of(VectorStore(id=ID, created_at=0, expires_at=expires_at), NOW).status == status


@pytest.mark.parametrize("given", [None, AutoStrategy(), DEFAULT])
def test_what_is_chosen_automatically_is_told_in_tokens(given):
    assert vector_stores.strategy(given) == DEFAULT


@pytest.mark.parametrize(("overlap", "is_fine"), [(0, True), (100, True), (101, False)])
def test_chunks_overlap_by_half_at_most(overlap, is_fine):
    given = StaticStrategy(StaticChunking(max_chunk_size_tokens=201, chunk_overlap_tokens=overlap))
    if is_fine:
        assert vector_stores.strategy(given) is given
        return
    with pytest.raises(InvalidRequest) as refusal:
        vector_stores.strategy(given, "files[2].")
    assert refusal.value.param == "files[2].chunking_strategy.static.chunk_overlap_tokens"


def test_a_file_that_is_named_twice_is_put_in_once():
    assert [file.file_id for file in vector_stores.files_of(["file-a", "file-b", "file-a"], None)] == [
        "file-a",
        "file-b",
    ]


def test_of_a_file_that_a_batch_names_twice_the_last_counts():
    twice = [CreateVectorStoreFile(file_id="file-a", attributes={"n": n}) for n in (1, 2)]

    [file] = vector_stores.batch_files(CreateFileBatch(files=twice))

    assert file.attributes == {"n": 2}


def test_files_of_a_batch_take_from_it_what_they_do_not_say():
    files = [
        CreateVectorStoreFile(file_id="file-a"),
        CreateVectorStoreFile(file_id="file-b", attributes={}, chunking_strategy=AutoStrategy()),
    ]

    made = vector_stores.batch_files(CreateFileBatch(files=files, attributes={"a": 1}, chunking_strategy=SMALL))

    assert [(file.attributes, file.strategy) for file in made] == [({"a": 1}, SMALL), ({}, DEFAULT)]


def test_a_batch_names_its_files_in_one_way():
    with pytest.raises(InvalidRequest, match="Only one of 'file_ids' and 'files'"):
        vector_stores.batch_files(CreateFileBatch(file_ids=["file-a"], files=[CreateVectorStoreFile(file_id="file-a")]))
    with pytest.raises(InvalidRequest, match="Missing required parameter: 'file_ids'"):
        vector_stores.batch_files(CreateFileBatch())
