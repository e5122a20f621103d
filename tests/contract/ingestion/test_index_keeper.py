"""The index follows the rows, and what a crash left behind is put right by comparing them."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from runstead.domain.change import Write
from runstead.domain.errors import Unavailable
from runstead.domain.file_writes import (
    CancelFileBatch,
    DeleteFile,
    DeleteStoreFile,
    DeleteVectorStore,
    InsertFileBatch,
    SetAttributes,
)
from runstead.executor import index_keeper
from runstead.executor.index_keeper import IndexKeeper
from runstead.search.sqlite_index import SqliteIndex
from runstead.wire.base import BatchId
from tests.contract.file_samples import SMALL, adding
from tests.contract.ingestion.scene import Node, Place, eventually
from tests.contract.samples import NOW, change, new_id


@pytest.fixture
async def file(place: Place):
    """One that has been read."""
    [file] = await place.add("a.txt", attributes={"n": 1})
    async with Node(place):
        await place.becomes(file, "completed")
    return file


async def held(place: Place) -> set[str]:
    return set(await place.index.held(place.vector_store.id))


@asynccontextmanager
async def keeping(place: Place, *, repairs: bool = True):
    keeper = IndexKeeper(place.means)
    task = asyncio.create_task(keeper.keep(repairs=repairs))
    yield keeper
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("what", ["store file", "file", "store"])
async def test_what_is_deleted_leaves_the_index_at_once(place: Place, file, what):
    [other] = await place.add("b.txt")
    writes: dict[str, Write] = {
        "store file": DeleteStoreFile(place.vector_store.id, file.id),
        "file": DeleteFile(file.id),
        "store": DeleteVectorStore(place.vector_store.id),
    }
    async with Node(place) as node:
        await place.becomes(other, "completed")
        await node.journal.commit(change(writes[what]))
        await node.keeper.followed()
    assert await held(place) == (set() if what == "store" else {other.id})


async def test_filters_see_new_attributes_at_once(place: Place, file):
    async with Node(place) as node:
        await node.journal.commit(change(SetAttributes(place.vector_store.id, file.id, {"n": 2})))
        await node.keeper.followed()
        assert await place.index.attributes(place.vector_store.id) == {file.id: {"n": 2}}
        # Added once more, it is not read again, and gets what it was added with.
        await node.journal.commit(change(adding(place.vector_store, file, attributes={"n": 3})))
        await node.keeper.followed()
        assert await place.index.attributes(place.vector_store.id) == {file.id: {"n": 3}}
    assert place.extractor.read == ["a.txt"]


async def test_attributes_are_those_of_the_row_whoever_tells_first(place: Place, file):
    """Another node has set others since, and told the index before us."""
    async with Node(place) as node:
        late = SetAttributes(place.vector_store.id, file.id, {"n": 2})
        await place.store.commit(change(late, SetAttributes(place.vector_store.id, file.id, {"n": 3})))
        node.keeper.committed(change(late))
        await node.keeper.followed()
    assert await place.index.attributes(place.vector_store.id) == {file.id: {"n": 3}}


async def test_a_file_that_was_put_in_anew_stays(place: Place, file):
    async with Node(place) as node:
        gone = change(DeleteStoreFile(place.vector_store.id, file.id))
        await place.store.commit(gone)
        await place.store.commit(change(adding(place.vector_store, file)))
        await place.becomes(file, "completed")
        node.keeper.committed(gone)
        await node.keeper.followed()
    assert await held(place) == {file.id}


async def test_a_round_finds_what_nobody_followed(place: Place, file):
    """The process died between the row and the index."""
    [other] = await place.add("b.txt", attributes={"n": 1})
    async with Node(place):
        await place.becomes(other, "completed")
    await place.store.commit(
        change(
            DeleteStoreFile(place.vector_store.id, file.id),
            SetAttributes(place.vector_store.id, other.id, {"n": 9}),
        )
    )
    async with keeping(place):

        async def is_put_right() -> bool:
            return await place.index.attributes(place.vector_store.id) == {other.id: {"n": 9}}

        await eventually(is_put_right)
    assert place.extractor.read == ["a.txt", "b.txt"]


async def test_a_round_forgets_what_was_cancelled_after_its_reader_died(place: Place, file):
    """The reader had put it into the index, and not come to say so."""
    batch = BatchId(new_id("vsfb"))
    anew = adding(place.vector_store, file, batch=batch, strategy=SMALL)
    await place.store.commit(change(InsertFileBatch(batch, place.vector_store.id, NOW), anew))
    await place.store.commit(change(CancelFileBatch(place.vector_store.id, batch, NOW)))
    assert await place.status(file) == "cancelled"
    assert await held(place) == {file.id}
    async with keeping(place):

        async def is_forgotten() -> bool:
            return await held(place) == set()

        await eventually(is_forgotten)


@pytest.mark.parametrize("is_worker", [True, False])
async def test_an_index_that_was_lost_is_made_anew_by_who_reads_files(place: Place, file, tmp_path, is_worker):
    await place.index.close()
    (tmp_path / "search.db").unlink()
    anew = await SqliteIndex.open(tmp_path / "search.db", cache_bytes=2**20)
    again = Place(place.store, place.blobs, anew, place.clock)
    again.vector_store = place.vector_store
    place.index = anew
    rounds = asyncio.Event()
    was = anew.stores

    async def seen():
        rounds.set()
        return await was()

    anew.stores = seen  # type: ignore[method-assign]
    async with keeping(again, repairs=is_worker):
        await rounds.wait()
        if is_worker:

            async def is_read_again() -> bool:
                return await held(again) == {file.id}

            await eventually(is_read_again)
    assert again.extractor.read == (["a.txt"] if is_worker else [])
    assert await anew.attributes(place.vector_store.id) == ({file.id: {"n": 1}} if is_worker else {})
    # Read as it was; its row says what it said.
    assert await place.status(file) == "completed"


async def test_what_is_there_is_not_read_twice(place: Place, file, monkeypatch):
    monkeypatch.setattr(index_keeper, "ROUND_EVERY", 0.01)
    compared = 0
    stores = place.index.stores

    async def counted():
        nonlocal compared
        compared += 1
        return await stores()

    monkeypatch.setattr(place.index, "stores", counted)
    async with keeping(place):

        async def some_rounds() -> bool:
            return compared >= 3

        await eventually(some_rounds)
    assert place.extractor.read == ["a.txt"]
    assert await held(place) == {file.id}


async def test_what_cannot_be_read_again_does_not_keep_others_from_it(place: Place, file):
    [other] = await place.add("b.txt")
    async with Node(place):
        await place.becomes(other, "completed")
    await place.index.drop_store(place.vector_store.id)
    await place.blobs.delete(file.id)
    with capture_logs() as logged:
        async with keeping(place):

            async def is_read_again() -> bool:
                return await held(place) == {other.id}

            await eventually(is_read_again)
    assert "not in the index any more" in [entry["event"] for entry in logged]


async def test_an_index_that_does_not_answer_is_tried_again(place: Place, file, monkeypatch):
    monkeypatch.setattr(index_keeper, "ROUND_EVERY", 0.01)
    await place.store.commit(change(DeleteStoreFile(place.vector_store.id, file.id)))
    stores, refused = place.index.stores, asyncio.Event()

    async def refuse_once():
        if not refused.is_set():
            refused.set()
            raise Unavailable("for a moment")
        return await stores()

    monkeypatch.setattr(place.index, "stores", refuse_once)
    async with keeping(place):

        async def is_forgotten() -> bool:
            return await held(place) == set()

        await eventually(is_forgotten)
    assert refused.is_set()
