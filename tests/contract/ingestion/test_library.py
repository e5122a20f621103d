"""Searching vector stores: the index finds, the rows decide what is shown."""

import asyncio

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from runstead.bus.local import LocalBus
from runstead.domain.attribute_filter import Equals
from runstead.domain.errors import EmbeddingFailed, NotFound, ToolFailed
from runstead.domain.file_writes import DeleteFile, InsertVectorStore, ReplaceStoreFile, SetAttributes
from runstead.journal import Journal
from runstead.ports import Ranking
from runstead.tools import library as library_module
from runstead.tools.library import TOUCHED_EVERY, Library
from runstead.wire.base import FileId
from runstead.wire.vector_stores import StoreExpiry
from tests.contract.file_samples import a_store, adding
from tests.contract.ingestion.scene import Node, Place
from tests.contract.samples import NOW, change

DAY = 86_400


class PlayedReranker:
    """Prefers the longest text."""

    def __init__(self) -> None:
        self.is_down = False
        self.asked: list[tuple[str, int]] = []

    async def scores(self, query, texts):
        self.asked.append((query, len(texts)))
        if self.is_down:
            raise EmbeddingFailed("the reranker is down")
        return [min(1.0, len(text) / 100) for text in texts]

    async def close(self) -> None:
        return


def a_library(place: Place, reranker=None, **given) -> Library:
    journal = Journal(place.store, LocalBus())
    given = {"embedder": place.embedder} | given
    return Library(place.store, journal, place.clock, place.index, reranker=reranker, **given)


async def read(place: Place, **texts: str) -> dict[str, FileId]:
    """Files that can be found, by their names."""
    files = {name: await place.uploaded(f"{name}.txt", text) for name, text in texts.items()}
    await place.store.commit(change(adding(place.vector_store, *files.values())))
    async with Node(place):
        for file in files.values():
            await place.becomes(file, "completed")
    return {name: file.id for name, file in files.items()}


async def test_a_passage_says_where_it_is_from(place: Place):
    ids = await read(place, ships="The lighthouse keeper counts ships.", bread="Bakers rise before dawn.")
    [first, *_] = await a_library(place).search(
        [place.vector_store.id], "lighthouse keeper", limit=10, score_threshold=0.0
    )
    assert (first.file_id, first.file_name, first.text) == (
        ids["ships"],
        "ships.txt",
        "The lighthouse keeper counts ships.",
    )
    assert 0 < first.score <= 1


async def test_several_stores_are_one_list_and_a_deleted_one_is_nothing(place: Place):
    ids = await read(place, ships="A lighthouse for ships.")
    other = a_store()
    await place.store.commit(change(InsertVectorStore(other)))
    gone = a_store()
    found = await a_library(place).search(
        [gone.id, other.id, place.vector_store.id], "lighthouse", limit=10, score_threshold=0.0
    )
    assert [each.file_id for each in found] == [ids["ships"]]
    assert await a_library(place).search([gone.id], "lighthouse", limit=10, score_threshold=0.0) == []


async def test_a_run_is_told_of_an_expired_store(place: Place):
    expiring = a_store(expires_after=StoreExpiry(anchor="last_active_at", days=1))
    await place.store.commit(change(InsertVectorStore(expiring)))
    place.clock.time += DAY + 1
    with pytest.raises(ToolFailed, match=f"The vector store {expiring.id} has expired; attach another"):
        await a_library(place).search([expiring.id], "anything", limit=1, score_threshold=0.0)


async def test_use_puts_off_the_expiry(place: Place):
    expiring = a_store(expires_after=StoreExpiry(anchor="last_active_at", days=1))
    await place.store.commit(change(InsertVectorStore(expiring)))
    place.clock.time += DAY - 10
    await a_library(place).search([expiring.id], "anything", limit=1, score_threshold=0.0)
    used = await place.store.get_vector_store(expiring.id)
    assert used.expires_at == int(place.clock.time) + DAY
    # A second use a moment later costs no commit.
    place.clock.time += TOUCHED_EVERY - 1
    await a_library(place).touch(expiring.id)
    assert (await place.store.get_vector_store(expiring.id)).last_active_at == NOW + DAY - 10
    place.clock.time += 1
    await a_library(place).touch(expiring.id)
    assert (await place.store.get_vector_store(expiring.id)).last_active_at == int(place.clock.time)
    with pytest.raises(NotFound):
        await a_library(place).touch(a_store().id)


async def test_a_file_that_is_gone_is_not_shown_though_the_index_has_it(place: Place):
    ids = await read(place, ships="A lighthouse.", boats="Another lighthouse.")
    await place.store.commit(change(DeleteFile(ids["ships"])))
    assert ids["ships"] in await place.found("lighthouse")
    found = await a_library(place).search([place.vector_store.id], "lighthouse", limit=10, score_threshold=0.0)
    assert [each.file_id for each in found] == [ids["boats"]]


async def test_a_cancelled_file_is_not_shown_though_the_index_has_it(place: Place):
    ids = await read(place, ships="A lighthouse.", boats="Another lighthouse.")
    record = await place.store.get_store_file(place.vector_store.id, ids["ships"])
    cancelled = replace(record, file=replace(record.file, status="cancelled"))
    await place.store.commit(change(ReplaceStoreFile(cancelled, record)))
    found = await a_library(place).search([place.vector_store.id], "lighthouse", limit=10, score_threshold=0.0)
    assert [each.file_id for each in found] == [ids["boats"]]


async def test_what_a_filter_forbids_is_not_shown_though_the_index_thinks_otherwise(place: Place):
    ids = await read(place, ships="A lighthouse.")
    library = a_library(place)
    await place.index.set_attributes(place.vector_store.id, ids["ships"], {"secret": False})
    await place.store.commit(change(SetAttributes(place.vector_store.id, ids["ships"], {"secret": True})))
    wanted = Equals("eq", "secret", False)
    assert await library.find([place.vector_store.id], ["lighthouse"], limit=5, ranking=Ranking(), filter=wanted) == []
    [found] = await library.find([place.vector_store.id], ["lighthouse"], limit=5, ranking=Ranking())
    assert found.attributes == {"secret": True}


async def test_without_vectors_for_the_query_words_are_looked_for(place: Place):
    ids = await read(place, ships="The lighthouse keeper counts ships.")
    place.embedder.is_down = True
    with capture_logs() as logged:
        found = await a_library(place).search([place.vector_store.id], "lighthouse", limit=5, score_threshold=0.0)
    assert [each.file_id for each in found] == [ids["ships"]]
    assert [entry["event"] for entry in logged] == ["searched by words alone"]
    place.embedder.is_down = False
    alone = await a_library(place, embedder=None).search(
        [place.vector_store.id], "lighthouse", limit=5, score_threshold=0.0
    )
    assert [each.file_id for each in alone] == [ids["ships"]]


async def test_a_reranker_has_the_last_word(place: Place):
    long = "The lighthouse is a long way from here, and nobody has ever walked to it before breakfast."
    ids = await read(place, short="A lighthouse.", long=long)
    reranker = PlayedReranker()
    library = a_library(place, reranker)
    here = [place.vector_store.id]

    found = await library.find(here, ["lighthouse", "walk"], limit=5, ranking=Ranking())
    assert [each.hit.file_id for each in found] == [ids["long"], ids["short"]]
    assert found[0].hit.score == pytest.approx(len(long) / 100)
    assert reranker.asked == [("lighthouse walk", 2)]
    # The threshold is for its scores.
    strict = Ranking(score_threshold=0.5)
    assert [each.hit.file_id for each in await library.find(here, ["lighthouse"], limit=5, ranking=strict)] == [
        ids["long"]
    ]
    # It reads more than are asked for.
    assert len(await library.find(here, ["lighthouse"], limit=1, ranking=Ranking())) == 1
    assert reranker.asked[-1] == ("lighthouse", 2)
    await library.find(here, ["lighthouse"], limit=5, ranking=Ranking(), reranks=False)
    assert len(reranker.asked) == 3


async def test_a_reranker_that_fails_leaves_the_order_as_it_was(place: Place):
    await read(place, short="A lighthouse.", long="The lighthouse is a long way from here.")
    reranker = PlayedReranker()
    reranker.is_down = True
    here = [place.vector_store.id]
    plain = await a_library(place).find(here, ["a lighthouse"], limit=5, ranking=Ranking())
    with capture_logs() as logged:
        found = await a_library(place, reranker).find(here, ["a lighthouse"], limit=5, ranking=Ranking())
    assert found == plain
    assert [entry["event"] for entry in logged] == ["not reranked"]
    strict = Ranking(score_threshold=plain[1].hit.score + 1e-6)
    with capture_logs():
        found = await a_library(place, reranker).find(here, ["a lighthouse"], limit=5, ranking=strict)
    assert found == plain[:1]


async def test_a_search_waits_for_files_that_are_being_read(place: Place, monkeypatch):
    monkeypatch.setattr(library_module, "LOOKS_EVERY", 0.01)
    gate = place.extractor.holds("slow.txt")
    [file] = await place.add("slow.txt")
    library = a_library(place)
    async with Node(place):
        await gate.reached.wait()
        waiting = asyncio.create_task(library.settle(place.vector_store.id, 20.0))
        # Long enough for it to look, and it goes on.
        await library.settle(place.vector_store.id, 0.05)
        assert not waiting.done()
        gate.opened.set()
        await waiting
        assert await place.status(file) == "completed"
    await library.settle(a_store().id, 20.0)


async def test_contents_are_what_the_file_was_read_as(place: Place):
    ids = await read(place, ships="The lighthouse keeper counts ships.")
    [chunk] = await a_library(place).contents(place.vector_store.id, ids["ships"])
    assert chunk.text == "The lighthouse keeper counts ships."
    assert await a_library(place).contents(place.vector_store.id, "file-none") == []


async def test_what_was_committed_here_is_waited_for(place: Place):
    ids = await read(place, ships="A lighthouse.")
    async with Node(place) as node:
        library = a_library(place, followed=node.keeper.followed)
        for n in range(20):
            await node.journal.commit(change(SetAttributes(place.vector_store.id, ids["ships"], {"n": n})))
            await library.followed()
            [found] = await library.find(
                [place.vector_store.id], ["lighthouse"], limit=5, ranking=Ranking(), filter=Equals("eq", "n", n)
            )
            assert found.attributes == {"n": n}
    await a_library(place).followed()
