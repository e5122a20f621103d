"""Vector stores, their files and batches with the official client."""

import pytest

from tests.acceptance.refusals import bad_request, not_found, refusal
from tests.acceptance.v2.stores import a_file, stores_of


@pytest.fixture
def stores(client):
    return stores_of(client)


def test_a_store_keeps_what_it_was_given(client, stores) -> None:
    file = a_file(client)

    made = stores.create(
        name="Library",
        file_ids=[file.id],
        metadata={"k": "v"},
        expires_after={"anchor": "last_active_at", "days": 3},
        chunking_strategy={"type": "static", "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 50}},
    )

    assert made.id.startswith("vs_")
    assert (made.object, made.name, made.metadata) == ("vector_store", "Library", {"k": "v"})
    assert (made.expires_after.anchor, made.expires_after.days) == ("last_active_at", 3)
    assert made.last_active_at == made.created_at
    assert made.expires_at == made.created_at + 3 * 86400
    assert made.file_counts.total == 1
    [held] = stores.files.list(made.id)
    assert (held.id, held.object, held.vector_store_id) == (file.id, "vector_store.file", made.id)
    static = held.chunking_strategy.static
    assert (static.max_chunk_size_tokens, static.chunk_overlap_tokens) == (200, 50)


def test_a_store_needs_nothing(stores) -> None:
    made = stores.create()

    assert (made.status, made.usage_bytes, made.file_counts.total, made.expires_at) == ("completed", 0, 0, None)
    assert stores.retrieve(made.id) == made
    assert made.id in [each.id for each in stores.list(limit=5)]


def test_a_store_is_changed_and_deleted(stores) -> None:
    made = stores.create(name="Before", expires_after={"anchor": "last_active_at", "days": 1})

    changed = stores.update(made.id, name="After", metadata={"a": "b"})
    assert (changed.name, changed.metadata, changed.expires_after.days) == ("After", {"a": "b"}, 1)
    assert stores.update(made.id, expires_after=None).expires_at is None

    deleted = stores.delete(made.id)
    assert (deleted.object, deleted.deleted) == ("vector_store.deleted", True)
    assert refusal(stores.retrieve, made.id) == not_found(f"Vector store with id '{made.id}' not found.")


def test_a_file_is_added_with_attributes_and_taken_out(client, stores) -> None:
    store, file = stores.create(), a_file(client)

    added = stores.files.create(store.id, file_id=file.id, extra_body={"attributes": {"year": 2020, "ok": True}})
    assert added.attributes == {"year": 2020, "ok": True}
    assert added.chunking_strategy.type == "static"
    assert added.chunking_strategy.static.max_chunk_size_tokens == 800
    assert added.last_error is None

    changed = stores.files.update(file.id, vector_store_id=store.id, attributes={"year": 2021.5})
    assert changed.attributes == {"year": 2021.5}
    assert stores.files.retrieve(file.id, vector_store_id=store.id).attributes == {"year": 2021.5}

    taken = stores.files.delete(file.id, vector_store_id=store.id)
    assert (taken.id, taken.object) == (file.id, "vector_store.file.deleted")
    assert refusal(stores.files.retrieve, file.id, vector_store_id=store.id) == not_found(
        f"No file found with id '{file.id}' in vector store '{store.id}'."
    )
    assert client.files.retrieve(file.id).id == file.id


def test_a_deleted_file_leaves_its_stores(client, stores) -> None:
    file = a_file(client)
    store = stores.create(file_ids=[file.id])

    client.files.delete(file.id)

    assert list(stores.files.list(store.id)) == []
    assert stores.retrieve(store.id).file_counts.total == 0


def test_a_batch_of_files(client, stores) -> None:
    store, files = stores.create(), [a_file(client).id for _ in range(3)]

    batch = stores.file_batches.create(store.id, file_ids=files)

    assert batch.id.startswith("vsfb_")
    assert (batch.object, batch.vector_store_id, batch.file_counts.total) == (
        "vector_store.files_batch",
        store.id,
        3,
    )
    listed = stores.file_batches.list_files(batch.id, vector_store_id=store.id, order="asc")
    assert [each.id for each in listed] == files
    assert stores.file_batches.retrieve(batch.id, vector_store_id=store.id).file_counts.total == 3


def test_a_batch_of_files_that_say_more(client, stores) -> None:
    store, one, two = stores.create(), a_file(client), a_file(client)

    stores.file_batches.create(
        store.id,
        extra_body={"files": [{"file_id": one.id, "attributes": {"n": 1}}, {"file_id": two.id}]},
        file_ids=None,
    )

    held = {each.id: each for each in stores.files.list(store.id)}
    assert (held[one.id].attributes, held[two.id].attributes) == ({"n": 1}, {})


def test_a_cancelled_batch_says_so(client, stores) -> None:
    store = stores.create()
    batch = stores.file_batches.create(store.id, file_ids=[a_file(client).id])

    cancelled = stores.file_batches.cancel(batch.id, vector_store_id=store.id)

    assert cancelled.status == "cancelled"
    assert cancelled.file_counts.in_progress == 0


def test_files_are_filtered_and_paged(client, stores) -> None:
    files = [a_file(client).id for _ in range(5)]
    store = stores.create(file_ids=files)

    assert [each.id for each in stores.files.list(store.id, limit=2, order="asc")] == files
    counted = [len(list(stores.files.list(store.id, filter=state))) for state in ("in_progress", "completed", "failed")]
    assert sum(counted) == 5
    refused = refusal(stores.files.list, store.id, filter="lost")
    assert (refused.param, refused.code) == ("filter", "invalid_value")


def test_ids_that_lead_nowhere_are_refused_by_their_place(client, stores) -> None:
    store, file = stores.create(), a_file(client)

    assert refusal(stores.create, file_ids=[file.id, "file-x"]) == bad_request(
        "No such File object: file-x", "file_ids[1]"
    )
    assert refusal(stores.files.create, store.id, file_id="nofile") == bad_request(
        "Invalid 'file_id': 'nofile'. Expected an ID that begins with 'file'.", "file_id", "invalid_value"
    )
    assert refusal(stores.file_batches.create, store.id, file_ids=["file-x"]).param == "file_ids[0]"
    assert refusal(stores.files.create, "vs_x", file_id=file.id) == not_found("Vector store with id 'vs_x' not found.")


@pytest.mark.parametrize(
    ("static", "param"),
    [
        ({"max_chunk_size_tokens": 99, "chunk_overlap_tokens": 0}, "max_chunk_size_tokens"),
        ({"max_chunk_size_tokens": 5000, "chunk_overlap_tokens": 0}, "max_chunk_size_tokens"),
        ({"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 101}, "chunk_overlap_tokens"),
    ],
)
def test_chunks_of_impossible_sizes_are_refused(client, stores, static, param) -> None:
    file = a_file(client)

    refused = refusal(stores.create, file_ids=[file.id], chunking_strategy={"type": "static", "static": static})

    assert refused.param == f"chunking_strategy.static.{param}"


def test_too_much_is_refused(client, stores) -> None:
    assert refusal(stores.create, name="n" * 257).code == "string_above_max_length"
    assert refusal(stores.create, file_ids=["file-x"] * 501).code == "array_above_max_length"
    assert refusal(stores.create, expires_after={"anchor": "last_active_at", "days": 366}).code == (
        "integer_above_max_value"
    )
    store, file = stores.create(), a_file(client)
    for attributes in ({str(n): 1 for n in range(17)}, {"k" * 65: 1}, {"k": "v" * 513}, {"k": 2**60}, {"k": []}):
        refused = refusal(stores.files.create, store.id, file_id=file.id, extra_body={"attributes": attributes})
        assert refused.param.startswith("attributes")
