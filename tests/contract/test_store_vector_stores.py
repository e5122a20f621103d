"""Vector stores, the files in them and the batches they came with: counts, states, leases."""

import asyncio

import pytest
from msgspec.structs import replace

from runstead.domain.errors import NotFound, NotInStore, NoVectorStore, Stale, StoreFull, UnknownCursor
from runstead.domain.file_writes import (
    MOST_FILES,
    CancelFileBatch,
    DeleteFile,
    DeleteStoreFile,
    DeleteVectorStore,
    InsertFile,
    InsertFileBatch,
    InsertVectorStore,
    ReplaceStoreFile,
    ReplaceVectorStore,
    SetAttributes,
    StoreFileRecord,
    TouchVectorStore,
)
from runstead.ports import PageRequest, Store
from runstead.wire.base import BatchId, FileId, VectorStoreId
from runstead.wire.files import File
from runstead.wire.vector_stores import FileCounts, IngestionError, IngestionStatus, StoreExpiry, VectorStore
from tests.contract.file_samples import AUTO, SMALL, a_file, a_store, adding, batch_with, store_with
from tests.contract.samples import NOW, change

DAY = 24 * 3600
NOWHERE = VectorStoreId("vs_x")


async def record(store: Store, holder: VectorStore, file: File) -> StoreFileRecord:
    return await store.get_store_file(holder.id, file.id)


async def become(store: Store, holder: VectorStore, file: File, status: IngestionStatus, usage: int = 0) -> None:
    """What an ingester writes at the end."""
    was = await record(store, holder, file)
    ended = replace(was, file=replace(was.file, status=status, usage_bytes=usage))
    await store.commit(change(ReplaceStoreFile(ended, was)))


# Stores


async def test_what_is_stored_is_read_back_whole(store: Store) -> None:
    made = a_store(name="Ünï ☃", description="d", metadata={"a": "1"}, last_active_at=NOW + 5)

    await store.commit(change(InsertVectorStore(made)))

    assert await store.get_vector_store(made.id) == made


async def test_a_store_that_is_not_there_is_not_found(store: Store) -> None:
    with pytest.raises(NoVectorStore, match="Vector store with id 'vs_x' not found"):
        await store.get_vector_store(NOWHERE)
    with pytest.raises(NoVectorStore):
        await store.commit(change(DeleteVectorStore(NOWHERE)))
    with pytest.raises(NoVectorStore):
        await store.page_store_files(NOWHERE, PageRequest())
    with pytest.raises(NoVectorStore):
        await store.get_store_file(NOWHERE, FileId("file-x"))
    with pytest.raises(NoVectorStore):
        await store.get_file_batch(NOWHERE, BatchId("vsfb_x"))
    with pytest.raises(NoVectorStore):
        await store.commit(change(InsertFileBatch(BatchId("vsfb_x"), NOWHERE, NOW)))


async def test_stores_are_listed_and_a_deleted_one_stays_a_cursor(store: Store) -> None:
    first, second, third = a_store(), a_store(), a_store()
    await store.commit(change(*map(InsertVectorStore, (first, second, third))))
    await store.commit(change(DeleteVectorStore(second.id)))

    assert (await store.page_vector_stores(PageRequest())).items == [third, first]
    assert (await store.page_vector_stores(PageRequest(after=second.id))).items == [first]


async def test_replacing_needs_what_was_read_and_leaves_files_and_use_alone(store: Store) -> None:
    was, file = a_store(), a_file()
    await store.commit(store_with(was, file))
    await store.commit(change(TouchVectorStore(was.id, NOW + 50)))
    read = await store.get_vector_store(was.id)
    await become(store, was, file, "completed", usage=7)

    named = replace(read, name="n", expires_after=StoreExpiry(anchor="last_active_at", days=2))
    await store.commit(change(ReplaceVectorStore(named, read)))

    now_is = await store.get_vector_store(was.id)
    assert (now_is.name, now_is.last_active_at, now_is.expires_at) == ("n", NOW + 50, NOW + 50 + 2 * DAY)
    assert (now_is.usage_bytes, now_is.file_counts.completed) == (7, 1)
    with pytest.raises(Stale):
        await store.commit(change(ReplaceVectorStore(replace(read, name="late"), read)))


async def test_use_puts_off_an_expiry_that_has_not_come(store: Store) -> None:
    made = a_store(expires_after=StoreExpiry(anchor="last_active_at", days=1))
    await store.commit(change(InsertVectorStore(made)))

    await store.commit(change(TouchVectorStore(made.id, NOW + DAY - 1)))
    assert (await store.get_vector_store(made.id)).expires_at == NOW + DAY - 1 + DAY
    # An earlier use does not shorten it.
    await store.commit(change(TouchVectorStore(made.id, NOW)))
    assert (await store.get_vector_store(made.id)).last_active_at == NOW + DAY - 1
    # What is expired is not revived by a use.
    await store.commit(change(TouchVectorStore(made.id, NOW + 3 * DAY)))
    assert (await store.get_vector_store(made.id)).expires_at == NOW + DAY - 1 + DAY
    # Nor is a use of what is gone a mistake.
    await store.commit(change(TouchVectorStore(NOWHERE, NOW)))


# Their files


async def test_an_added_file_waits_for_its_ingestion(store: Store) -> None:
    holder, file = a_store(), a_file()
    attributes = {"year": 2020, "ratio": 0.5, "draft": False, 'q"': "☃"}
    await store.commit(change(InsertVectorStore(holder), InsertFile(file)))
    await store.commit(change(adding(holder, file, attributes=attributes, strategy=SMALL)))

    added = (await record(store, holder, file)).file
    assert (added.status, added.usage_bytes, added.last_error, added.created_at) == ("in_progress", 0, None, NOW)
    assert added.attributes == attributes
    assert [type(value) for value in added.attributes.values()] == [int, float, bool, str]
    assert added.chunking_strategy == SMALL
    whole = await store.get_vector_store(holder.id)
    assert (whole.status, whole.file_counts) == ("in_progress", FileCounts(in_progress=1, total=1))


async def test_counts_and_bytes_follow_every_change(store: Store) -> None:
    holder, files = a_store(), [a_file() for _ in range(5)]
    await store.commit(store_with(holder, *files))
    await become(store, holder, files[0], "completed", usage=10)
    await become(store, holder, files[1], "completed", usage=5)
    await become(store, holder, files[2], "failed")
    await become(store, holder, files[3], "cancelled")

    counts = FileCounts(in_progress=1, completed=2, failed=1, cancelled=1, total=5)
    assert (await store.get_vector_store(holder.id)).file_counts == counts
    assert (await store.get_vector_store(holder.id)).usage_bytes == 15

    await store.commit(change(DeleteStoreFile(holder.id, files[0].id), DeleteFile(files[4].id)))

    left = await store.get_vector_store(holder.id)
    assert left.file_counts == FileCounts(completed=1, failed=1, cancelled=1, total=3)
    assert (left.status, left.usage_bytes) == ("completed", 5)
    assert [each.file_counts for each in (await store.page_vector_stores(PageRequest())).items] == [left.file_counts]


async def test_a_file_is_detached_and_stays(store: Store) -> None:
    holder, file = a_store(), a_file()
    await store.commit(store_with(holder, file))
    await store.commit(change(DeleteStoreFile(holder.id, file.id)))

    assert await store.get_file(file.id) == file
    with pytest.raises(NotInStore, match=f"No file found with id '{file.id}' in vector store '{holder.id}'"):
        await store.get_store_file(holder.id, file.id)
    for write in (DeleteStoreFile(holder.id, file.id), SetAttributes(holder.id, file.id, {})):
        with pytest.raises(NotInStore):
            await store.commit(change(write))


async def test_a_deleted_store_leaves_its_files(store: Store) -> None:
    holder, file = a_store(), a_file()
    await store.commit(store_with(holder, file))
    await store.commit(change(DeleteVectorStore(holder.id)))

    assert await store.get_file(file.id) == file
    assert await store.unfinished_files(NOW, 10) == []


@pytest.mark.parametrize("deletes", ["from the store", "altogether"])
async def test_a_client_may_delete_what_it_pages_through(store: Store, deletes: str) -> None:
    holder, files = a_store(), [a_file() for _ in range(4)]
    await store.commit(store_with(holder, *files))
    gone = files[1]
    await store.commit(
        change(DeleteStoreFile(holder.id, gone.id) if deletes == "from the store" else DeleteFile(gone.id))
    )

    after = await store.page_store_files(holder.id, PageRequest(order="asc", after=gone.id))

    assert [each.id for each in after.items] == [files[2].id, files[3].id]
    with pytest.raises(UnknownCursor):
        await store.page_store_files(holder.id, PageRequest(after="file-x"))


async def test_files_are_listed_by_state(store: Store) -> None:
    holder, other, files = a_store(), a_store(), [a_file() for _ in range(3)]
    await store.commit(store_with(holder, *files))
    await store.commit(change(InsertVectorStore(other), adding(other, files[0])))
    await become(store, holder, files[1], "completed")

    async def listed(status: IngestionStatus | None) -> list[str]:
        page = await store.page_store_files(holder.id, PageRequest(order="asc"), status)
        return [each.id for each in page.items]

    assert await listed(None) == [file.id for file in files]
    assert await listed("completed") == [files[1].id]
    assert await listed("in_progress") == [files[0].id, files[2].id]
    assert await listed("failed") == []
    page = await store.page_store_files(holder.id, PageRequest(limit=1), "in_progress")
    assert ([each.id for each in page.items], page.has_more) == ([files[2].id], True)


async def test_attributes_are_replaced_while_somebody_ingests(store: Store) -> None:
    holder, file = a_store(), a_file()
    await store.commit(store_with(holder, file))
    claimed = await claim(store, await record(store, holder, file))
    await store.commit(change(SetAttributes(holder.id, file.id, {"a": 1})))

    done = replace(claimed, file=replace(claimed.file, status="completed", usage_bytes=4), owner=None, lease_until=None)
    await store.commit(change(ReplaceStoreFile(done, claimed)))

    stored = (await record(store, holder, file)).file
    assert (stored.status, stored.usage_bytes, stored.attributes) == ("completed", 4, {"a": 1})


async def test_adding_what_is_there_repeats_only_work_that_is_needed(store: Store) -> None:
    holder, done, failed, other = a_store(), a_file(), a_file(), a_file()
    await store.commit(store_with(holder, done, failed, other))
    for file in (done, other):
        await become(store, holder, file, "completed", usage=9)
    await become(store, holder, failed, "failed")

    await store.commit(change(adding(holder, done, failed, attributes={"a": "b"})))
    await store.commit(change(adding(holder, other, strategy=SMALL)))

    states = [(await record(store, holder, file)).file for file in (done, failed, other)]
    assert [(each.status, each.usage_bytes, each.attributes) for each in states] == [
        ("completed", 9, {"a": "b"}),
        ("in_progress", 0, {"a": "b"}),
        ("in_progress", 0, {}),
    ]
    assert [each.chunking_strategy for each in states] == [AUTO, AUTO, SMALL]
    assert (await store.get_vector_store(holder.id)).file_counts.total == 3


async def test_nothing_is_added_of_which_a_part_is_gone(store: Store) -> None:
    holder, file = a_store(), a_file()
    await store.commit(change(InsertVectorStore(holder), InsertFile(file)))

    with pytest.raises(Stale):
        await store.commit(change(adding(holder, file, a_file())))
    with pytest.raises(Stale):
        await store.commit(change(adding(a_store(id=NOWHERE), file)))

    assert (await store.page_store_files(holder.id, PageRequest())).items == []


async def test_a_store_has_room_for_so_many_and_no_more(store: Store) -> None:
    holder, files = a_store(), [a_file() for _ in range(MOST_FILES + 1)]
    for start in range(0, len(files), 1_000):
        await store.commit(change(*map(InsertFile, files[start : start + 1_000])))
    await store.commit(change(InsertVectorStore(holder), adding(holder, *files[:MOST_FILES])))

    with pytest.raises(StoreFull, match=f"at most {MOST_FILES}"):
        await store.commit(change(adding(holder, files[-1])))
    # What is there already takes no room.
    await store.commit(change(adding(holder, *files[:100])))

    assert (await store.get_vector_store(holder.id)).file_counts.total == MOST_FILES


# Batches


async def test_a_batch_counts_its_own_files(store: Store) -> None:
    holder, before, files = a_store(), a_file(), [a_file() for _ in range(3)]
    await store.commit(store_with(holder, before))
    await store.commit(change(*map(InsertFile, files)))
    id, made = batch_with(holder, *files)
    await store.commit(made)

    batch = await store.get_file_batch(holder.id, id)
    assert (batch.status, batch.created_at, batch.file_counts) == (
        "in_progress",
        NOW,
        FileCounts(in_progress=3, total=3),
    )
    for file in files[:2]:
        await become(store, holder, file, "failed")
    await become(store, holder, files[2], "completed")

    batch = await store.get_file_batch(holder.id, id)
    assert (batch.status, batch.file_counts) == ("completed", FileCounts(completed=1, failed=2, total=3))
    listed = await store.page_batch_files(holder.id, id, PageRequest(order="asc"), "failed")
    assert [each.id for each in listed.items] == [file.id for file in files[:2]]
    assert len((await store.page_batch_files(holder.id, id, PageRequest())).items) == 3


async def test_a_batch_of_which_nothing_worked_has_failed(store: Store) -> None:
    holder, file = a_store(), a_file()
    await store.commit(change(InsertVectorStore(holder), InsertFile(file)))
    id, made = batch_with(holder, file)
    await store.commit(made)
    await become(store, holder, file, "failed")

    assert (await store.get_file_batch(holder.id, id)).status == "failed"


async def test_cancelling_a_batch_stops_what_is_in_progress(store: Store) -> None:
    holder, files = a_store(), [a_file() for _ in range(3)]
    await store.commit(change(InsertVectorStore(holder), *map(InsertFile, files)))
    id, made = batch_with(holder, *files[:2])
    await store.commit(made)
    await store.commit(change(adding(holder, files[2])))
    await become(store, holder, files[0], "completed")
    claimed = await claim(store, await record(store, holder, files[1]))

    await store.commit(change(CancelFileBatch(holder.id, id, NOW)))

    batch = await store.get_file_batch(holder.id, id)
    assert (batch.status, batch.file_counts) == ("cancelled", FileCounts(completed=1, cancelled=1, total=2))
    # Who was at it finds out at its next write.
    with pytest.raises(Stale):
        await store.commit(change(ReplaceStoreFile(replace(claimed, lease_until=NOW + 99.0), claimed)))
    assert [each.file.id for each in await store.unfinished_files(NOW, 10)] == [files[2].id]
    # Once more does no harm; one that is not there is said.
    await store.commit(change(CancelFileBatch(holder.id, id, NOW)))
    with pytest.raises(NotFound, match="No file batch found with id 'vsfb_x'"):
        await store.commit(change(CancelFileBatch(holder.id, BatchId("vsfb_x"), NOW)))


# Ingestion


async def claim(store: Store, was: StoreFileRecord, owner: str = "node-a", until: float = NOW + 6.0) -> StoreFileRecord:
    record = replace(was, owner=owner, epoch=was.epoch + 1, attempts=was.attempts + 1, lease_until=until)
    await store.commit(change(ReplaceStoreFile(record, was)))
    return record


async def test_unfinished_files_are_told_oldest_first_and_not_while_leased(store: Store) -> None:
    holder, files = a_store(), [a_file() for _ in range(3)]
    await store.commit(store_with(holder, *files))
    waiting = await store.unfinished_files(NOW, 10)
    assert [each.file.id for each in waiting] == [file.id for file in files]

    await claim(store, waiting[0])
    await become(store, holder, files[1], "completed")

    assert [each.file.id for each in await store.unfinished_files(NOW, 10)] == [files[2].id]
    lapsed = await store.unfinished_files(NOW + 7, 1)
    assert [(each.file.id, each.owner, each.epoch, each.attempts) for each in lapsed] == [(files[0].id, "node-a", 1, 1)]


async def test_several_files_of_a_store_are_read_at_once(store: Store) -> None:
    holder, other, files = a_store(), a_store(), [a_file() for _ in range(3)]
    await store.commit(store_with(holder, *files[:2]))
    await store.commit(store_with(other, files[2]))
    asked = [files[1].id, files[2].id, files[1].id, "file-none"]

    assert await store.find_store_files(holder.id, asked) == [await record(store, holder, files[1])]
    assert await store.find_store_files(other.id, []) == []
    assert await store.find_store_files(NOWHERE, asked) == []


async def test_unfinished_files_are_counted_whether_leased_or_not(store: Store) -> None:
    holder, files = a_store(), [a_file() for _ in range(3)]
    before = await store.count_unfinished_files()
    await store.commit(store_with(holder, *files))
    [waiting, *_] = await store.unfinished_files(NOW, 10)

    await claim(store, waiting)
    await become(store, holder, files[1], "completed")

    assert await store.count_unfinished_files() - before == 2


async def test_of_two_who_claim_the_same_file_one_has_it(store: Store) -> None:
    holder, file = a_store(), a_file()
    await store.commit(store_with(holder, file))
    [waiting] = await store.unfinished_files(NOW, 10)

    outcomes = await asyncio.gather(
        *(claim(store, waiting, owner) for owner in ("node-a", "node-b")), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes].count(Stale) == 1
    [winner] = [outcome for outcome in outcomes if isinstance(outcome, StoreFileRecord)]
    assert await record(store, holder, file) == winner


async def test_who_lost_its_lease_writes_nothing(store: Store) -> None:
    holder, file = a_store(), a_file()
    await store.commit(store_with(holder, file))
    first = await claim(store, await record(store, holder, file))
    second = await claim(store, first, "node-b")

    late = replace(first, file=replace(first.file, status="completed"))
    with pytest.raises(Stale):
        await store.commit(change(ReplaceStoreFile(late, first)))

    assert await record(store, holder, file) == second


async def test_why_a_file_failed_is_kept(store: Store) -> None:
    holder, file = a_store(), a_file()
    await store.commit(store_with(holder, file))
    was = await claim(store, await record(store, holder, file))
    error = IngestionError("invalid_file", "The file is \u2028 broken ☃.")
    failed = replace(was, file=replace(was.file, status="failed", last_error=error), owner=None, lease_until=None)
    await store.commit(change(ReplaceStoreFile(failed, was)))

    assert await record(store, holder, file) == failed


async def test_a_file_that_is_taken_out_is_lost_to_who_ingests_it(store: Store) -> None:
    holder, file = a_store(), a_file()
    await store.commit(store_with(holder, file))
    was = await claim(store, await record(store, holder, file))
    await store.commit(change(DeleteFile(file.id)))

    with pytest.raises(Stale):
        await store.commit(change(ReplaceStoreFile(replace(was, owner=None), was)))
