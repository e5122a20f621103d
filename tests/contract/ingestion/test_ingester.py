"""Files on their way into the index: whoever reads them, whatever is taken away meanwhile, each comes to one end."""

import asyncio
from functools import partial

import pytest
from structlog.testing import capture_logs

from runstead.domain.change import Write
from runstead.domain.errors import Unavailable
from runstead.domain.file_writes import (
    CancelFileBatch,
    DeleteFile,
    DeleteStoreFile,
    DeleteVectorStore,
    InsertVectorStore,
    ReplaceStoreFile,
)
from runstead.domain.ingestion import MOST_ATTEMPTS, MOST_TRIES, claim
from runstead.executor import ingester
from runstead.executor.worker import LeaseTimes
from tests.contract.file_samples import SMALL, a_store, adding, batch_with
from tests.contract.ingestion.scene import TIMES, Node, Place, eventually, unreadable
from tests.contract.samples import NOW, change


async def test_a_file_that_is_added_can_be_found(place: Place):
    async with Node(place) as node:
        [file] = await place.add("ships.txt", node=node, attributes={"year": 1871})
        record = await place.becomes(file, "completed")
    assert (record.owner, record.lease_until, record.attempts, record.file.last_error) == (None, None, 1, None)
    assert record.file.usage_bytes > 0
    assert await place.found("lighthouse") == [file.id]
    assert await place.index.held(place.vector_store.id) == {file.id: "letters"}
    assert await place.index.attributes(place.vector_store.id) == {file.id: {"year": 1871}}
    counts = (await place.store.get_vector_store(place.vector_store.id)).file_counts
    assert (counts.completed, counts.in_progress, counts.total) == (1, 0, 1)


async def test_files_that_nobody_told_of_are_found_in_the_rows(place: Place):
    files = await place.add("a.txt", "b.txt", "c.txt", "d.txt")
    async with Node(place):
        for file in files:
            await place.becomes(file, "completed")
    assert sorted(place.extractor.read) == ["a.txt", "b.txt", "c.txt", "d.txt"]


async def test_a_file_is_cut_as_it_was_asked(place: Place):
    words = " ".join(f"word{i}" for i in range(300))
    file = await place.uploaded("long.txt", words)
    await place.store.commit(change(adding(place.vector_store, file, strategy=SMALL)))
    async with Node(place):
        await place.becomes(file, "completed")
    chunks = await place.index.contents(place.vector_store.id, file.id)
    assert len(chunks) > 5
    assert chunks[0].text.startswith("word0 ")
    assert chunks[1].start < chunks[0].end
    assert chunks[-1].text.endswith("word299")


async def test_without_an_embedder_words_alone_are_kept(store, clock, place: Place):
    plain = Place(store, place.blobs, place.index, clock, embeds=False)
    await store.commit(change(InsertVectorStore(plain.vector_store)))
    [file] = await plain.add("a.txt")
    async with Node(plain):
        await plain.becomes(file, "completed")
    assert await plain.index.held(plain.vector_store.id) == {file.id: None}
    assert await plain.found("lighthouse") == [file.id]


async def test_a_file_that_cannot_be_read_fails_with_the_reason(place: Place):
    name, place.extractor.failures = unreadable()[0], dict([unreadable()])
    [bad, good] = await place.add(name, "good.txt")
    async with Node(place):
        record = await place.becomes(bad, "failed")
        await place.becomes(good, "completed")
    assert record.file.last_error is not None
    assert (record.file.last_error.code, record.file.last_error.message) == ("invalid_file", "The file is damaged.")
    assert await place.found("lighthouse") == [good.id]
    assert place.extractor.read.count(name) == 1


async def test_a_long_reading_is_renewed(place: Place):
    gate = place.extractor.holds("slow.txt")
    [file] = await place.add("slow.txt")
    async with Node(place):
        await gate.reached.wait()
        place.clock.time += 5.0

        async def is_renewed() -> bool:
            until = (await place.record(file)).lease_until
            return until is not None and until >= place.clock.time + 5.0

        await eventually(is_renewed)
        gate.opened.set()
        record = await place.becomes(file, "completed")
    assert (record.epoch, record.attempts) == (1, 1)


async def test_a_cancelled_batch_stops_being_read(place: Place):
    gate = place.extractor.holds("slow.txt")
    file = await place.uploaded("slow.txt")
    batch, begin = batch_with(place.vector_store, file)
    await place.store.commit(begin)
    async with Node(place) as node:
        await gate.reached.wait()
        await node.journal.commit(change(CancelFileBatch(place.vector_store.id, batch, NOW)))
        # Its reading is interrupted, though the parser would go on.
        await gate.left.wait()
        assert not gate.opened.is_set()
        assert await place.status(file) == "cancelled"
    assert await place.found("lighthouse") == []
    assert (await place.store.get_file_batch(place.vector_store.id, batch)).file_counts.cancelled == 1


@pytest.mark.parametrize("what", ["store file", "file", "store"])
async def test_what_is_taken_away_while_it_is_read_is_not_in_the_index(place: Place, what: str):
    gate = place.extractor.holds("a.txt")
    [file] = await place.add("a.txt")
    writes: dict[str, Write] = {
        "store file": DeleteStoreFile(place.vector_store.id, file.id),
        "file": DeleteFile(file.id),
        "store": DeleteVectorStore(place.vector_store.id),
    }
    async with Node(place) as node:
        await gate.reached.wait()
        await node.journal.commit(change(writes[what]))
        await gate.left.wait()
        assert not gate.opened.is_set()
    assert await place.index.held(place.vector_store.id) == {}


@pytest.mark.parametrize("noticed_by", ["the last write", "a renewal"])
@pytest.mark.parametrize("how", ["deleted", "cancelled"])
async def test_what_is_taken_away_at_the_last_moment_leaves_the_index_again(place: Place, monkeypatch, how, noticed_by):
    """After the index has it, and before the row says so."""
    file = await place.uploaded("a.txt")
    batch, begin = batch_with(place.vector_store, file)
    await place.store.commit(begin)
    deletes, cancels = (
        DeleteStoreFile(place.vector_store.id, file.id),
        CancelFileBatch(place.vector_store.id, batch, NOW),
    )
    put, lost = place.index.put, asyncio.Event()

    async def put_and_lose(indexed):
        size = await put(indexed)
        await place.store.commit(change(deletes if how == "deleted" else cancels))
        assert await place.index.held(place.vector_store.id) == {file.id: "letters"}
        lost.set()
        if noticed_by == "a renewal":
            await asyncio.Event().wait()
        return size

    monkeypatch.setattr(place.index, "put", put_and_lose)
    async with Node(place):
        await lost.wait()

        async def is_forgotten() -> bool:
            return await place.index.held(place.vector_store.id) == {}

        await eventually(is_forgotten)


async def test_an_embedding_server_that_is_down_is_waited_for(place: Place):
    place.embedder.is_down = True
    [file] = await place.add("a.txt")
    async with Node(place):
        await eventually(lambda: _is_waiting(place, file))
        record = await place.record(file)
        assert record.file.status == "in_progress"
        assert record.lease_until == NOW + 2.0
        place.embedder.is_down = False
        place.clock.time += 3.0
        record = await place.becomes(file, "completed")
    assert record.attempts == 2
    assert await place.index.held(place.vector_store.id) == {file.id: "letters"}


async def test_a_server_that_stays_down_is_given_up_at_last(place: Place):
    place.embedder.is_down = True
    [file] = await place.add("a.txt")
    async with Node(place):
        for attempt in range(1, MOST_TRIES):
            await eventually(partial(_is_waiting, place, file, attempt))
            place.clock.time += 61.0
        record = await place.becomes(file, "failed")
    assert record.file.last_error is not None
    assert (record.file.last_error.code, record.file.last_error.message) == (
        "server_error",
        "the embeddings server is down",
    )


async def _is_waiting(place: Place, file, attempts: int = 1) -> bool:
    record = await place.record(file)
    return record.owner is None and record.lease_until is not None and record.attempts == attempts


async def test_contents_that_are_out_of_reach_are_waited_for(place: Place):
    [file] = await place.add("a.txt")
    await place.blobs.delete(file.id)
    async with Node(place):
        await eventually(lambda: _is_waiting(place, file))
    assert await place.status(file) == "in_progress"


async def test_a_file_that_kills_its_readers_is_given_up(place: Place):
    [bad, good] = await place.add("bomb.txt", "good.txt")
    for _ in range(MOST_ATTEMPTS):
        was = await place.record(bad)
        taken = claim(was, owner="node_dead", now=place.clock.time, lease_for=6.0)
        await place.store.commit(change(ReplaceStoreFile(taken, was)))
        place.clock.time += 7.0
    async with Node(place):
        record = await place.becomes(bad, "failed")
        await place.becomes(good, "completed")
    assert "bomb.txt" not in place.extractor.read
    assert record.file.last_error is not None
    assert record.file.last_error.message.startswith("The server stopped 3 times while it read this file")


async def test_a_dead_readers_file_is_read_by_another(place: Place):
    [file] = await place.add("a.txt")
    was = await place.record(file)
    taken = claim(was, owner="node_dead", now=place.clock.time, lease_for=6.0)
    await place.store.commit(change(ReplaceStoreFile(taken, was)))
    [other] = await place.add("b.txt")
    async with Node(place):
        await place.becomes(other, "completed")
        assert place.extractor.read == ["b.txt"]
        place.clock.time += 7.0
        record = await place.becomes(file, "completed")
    assert (record.epoch, record.attempts) == (2, 2)


async def test_a_node_that_stops_gives_back_what_it_reads(place: Place):
    gate = place.extractor.holds("slow.txt")
    [file] = await place.add("slow.txt")
    async with Node(place):
        await gate.reached.wait()
    record = await place.record(file)
    assert (record.file.status, record.owner, record.lease_until, record.attempts) == ("in_progress", None, None, 0)
    gate.opened.set()
    async with Node(place, "node_b"):
        record = await place.becomes(file, "completed")
    assert (record.epoch, record.attempts) == (2, 1)


async def test_two_nodes_read_each_file_once(place: Place):
    files = await place.add(*(f"{i}.txt" for i in range(20)))
    async with Node(place, "node_a"), Node(place, "node_b"):
        for file in files:
            record = await place.becomes(file, "completed")
            assert (record.epoch, record.attempts) == (1, 1)
    assert sorted(place.extractor.read) == sorted(f"{i}.txt" for i in range(20))


async def test_a_reader_that_cannot_renew_stops_in_time(place: Place, monkeypatch):
    gate = place.extractor.holds("slow.txt")
    [file] = await place.add("slow.txt")
    node = Node(place, times=LeaseTimes(lease_for=6.0, renew_every=0.02, trust_for=0.2))
    async with node:
        await gate.reached.wait()

        async def refuse(_):
            raise Unavailable("the database is gone")

        monkeypatch.setattr(node.journal, "commit", refuse)
        await gate.left.wait()
    # Whoever can reach the database takes it over.
    gate.opened.set()
    place.clock.time += 7.0
    async with Node(place, "node_b"):
        assert (await place.becomes(file, "completed")).attempts == 2


async def test_an_end_that_cannot_be_written_is_tried_again(place: Place, monkeypatch):
    gate = place.extractor.holds("a.txt")
    [file] = await place.add("a.txt")
    node = Node(place, times=LeaseTimes(lease_for=6.0, renew_every=30.0, trust_for=60.0))
    commit, refused = node.journal.commit, asyncio.Event()

    async def refuse_once(made):
        if not refused.is_set():
            refused.set()
            raise Unavailable("for a moment")
        await commit(made)

    async with node:
        await gate.reached.wait()
        monkeypatch.setattr(node.journal, "commit", refuse_once)
        gate.opened.set()
        assert (await place.becomes(file, "completed")).attempts == 1
    assert refused.is_set()


async def test_an_unforeseen_error_is_one_file_s(place: Place):
    place.extractor.failures["odd.txt"] = ZeroDivisionError("nobody thought of this")
    [odd, good] = await place.add("odd.txt", "good.txt")
    with capture_logs() as logged:
        async with Node(place):
            await place.becomes(good, "completed")
            for attempt in range(1, MOST_ATTEMPTS + 1):

                async def is_read(attempt=attempt) -> bool:
                    return place.extractor.read.count("odd.txt") == attempt

                await eventually(is_read)
                place.clock.time += 7.0
            await place.becomes(odd, "failed")
    assert place.extractor.read.count("odd.txt") == MOST_ATTEMPTS
    assert [entry["event"] for entry in logged if entry["log_level"] == "error"] == ["ingestion broke"] * MOST_ATTEMPTS


async def test_no_more_files_are_read_at_a_time_than_there_is_room_for(place: Place):
    gates = [place.extractor.holds(f"{i}.txt") for i in range(4)]
    files = await place.add(*(f"{i}.txt" for i in range(4)))
    async with Node(place):
        await gates[0].reached.wait()
        await gates[1].reached.wait()
        assert len(place.extractor.read) == ingester.AT_ONCE == 2
        for gate in gates:
            gate.opened.set()
        for file in files:
            await place.becomes(file, "completed")


async def test_attributes_set_while_a_file_is_read_are_those_it_gets(place: Place):
    gate = place.extractor.holds("slow.txt")
    [file] = await place.add("slow.txt", attributes={"n": 1})
    async with Node(place, times=TIMES) as node:
        await gate.reached.wait()
        await node.journal.commit(change(adding(place.vector_store, file, attributes={"n": 2})))
        gate.opened.set()
        await place.becomes(file, "completed")
    assert await place.index.attributes(place.vector_store.id) == {file.id: {"n": 2}}


async def test_a_file_in_two_stores_is_read_for_each(place: Place):
    [file] = await place.add("a.txt")
    other = a_store()
    await place.store.commit(change(InsertVectorStore(other), adding(other, file)))
    async with Node(place):
        await place.becomes(file, "completed")

        async def is_in_both() -> bool:
            return (await place.store.get_store_file(other.id, file.id)).file.status == "completed"

        await eventually(is_in_both)
    assert await place.found("lighthouse", other) == [file.id]
