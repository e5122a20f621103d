"""What every index promises."""

import asyncio

import pytest

from runstead.domain.attribute_filter import Equals, Filter, Joined, OneOf, Ordered
from runstead.domain.chunking import Chunk
from runstead.ports import Index, Query, Ranking
from tests.contract.search.indexed import EMBEDDING, a_file, asked, at, files_of, vector

ONLY_VECTORS = Ranking(text_weight=0)
ONLY_WORDS = Ranking(embedding_weight=0)


async def test_nothing_is_found_where_nothing_is(index: Index):
    assert await index.search(["vs_a"], [asked("lighthouse", at(0))], limit=10) == []
    assert await index.search([], [asked("lighthouse", at(0))], limit=10) == []
    assert await index.search(["vs_a"], [], limit=10) == []
    assert await index.held("vs_a") == {}
    assert await index.contents("vs_a", "file-1") == []


async def test_a_chunk_is_found_by_meaning_and_by_its_words(index: Index):
    await index.put(a_file("file-1", [("The keeper lights the lamp.", [at(0)]), ("Ships pass by.", [at(80)])]))

    by_meaning = await index.search(["vs_a"], [asked("illumination", at(10))], limit=1)
    by_words = await index.search(["vs_a"], [asked("ship")], limit=5)

    assert [(hit.store_id, hit.file_id, hit.position, hit.text) for hit in by_meaning] == [
        ("vs_a", "file-1", 0, "The keeper lights the lamp.")
    ]
    assert by_meaning[0].score == pytest.approx(0.985, abs=0.001)
    # The plural is the same word.
    assert [hit.text for hit in by_words] == ["Ships pass by."]
    assert by_words[0].score == 1


async def test_what_both_ways_find_is_before_what_one_finds(index: Index):
    await index.put(a_file("file-words", [("a harbour", [at(85)])]))
    await index.put(a_file("file-both", [("the harbour master", [at(20)])]))
    await index.put(a_file("file-meaning", [("port captain", [at(10)])]))

    hits = await index.search(["vs_a"], [asked("harbour master", at(0))], limit=10)

    assert files_of(hits)[0] == "file-both"
    assert set(files_of(hits)) == {"file-words", "file-both", "file-meaning"}


async def test_weights_decide_which_way_counts(index: Index):
    await index.put(a_file("file-words", [("harbour master", [at(80)])]))
    await index.put(a_file("file-meaning", [("port captain", [at(10)])]))
    query = [asked("harbour master", at(0))]

    assert files_of(await index.search(["vs_a"], query, limit=1, ranking=ONLY_VECTORS)) == ["file-meaning"]
    assert files_of(await index.search(["vs_a"], query, limit=9, ranking=ONLY_WORDS)) == ["file-words"]
    heavy = Ranking(embedding_weight=0.1, text_weight=1)
    assert files_of(await index.search(["vs_a"], query, limit=1, ranking=heavy)) == ["file-words"]


async def test_the_best_window_counts_for_its_chunk_which_is_found_once(index: Index):
    await index.put(a_file("file-1", [("long", [at(90), at(5), at(40)]), ("short", [at(30)])]))

    hits = await index.search(["vs_a"], [asked("", at(0))], limit=10, ranking=ONLY_VECTORS)

    assert [(hit.position, round(hit.score, 3)) for hit in hits] == [(0, 0.996), (1, 0.866)]


async def test_words_add_a_tenth_to_a_similarity(index: Index):
    await index.put(a_file("file-1", [("harbour", [at(60)]), ("quay", [at(60)])]))

    hits = await index.search(["vs_a"], [asked("harbour", at(0))], limit=2)

    assert [(hit.text, round(hit.score, 3)) for hit in hits] == [("harbour", 0.545), ("quay", 0.455)]


async def test_results_are_in_the_order_of_their_scores(index: Index):
    texts = [("harbour master" if n % 3 else "pilot", [at(5 * n)]) for n in range(12)]
    await index.put(a_file("file-1", texts))

    scores = [hit.score for hit in await index.search(["vs_a"], [asked("harbour", at(20))], limit=12)]

    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 12


async def test_scores_are_similarities_and_a_threshold_cuts_them_off(index: Index):
    await index.put(a_file("file-1", [(f"text {angle}", [at(angle)]) for angle in (0, 60, 120)]))

    every = await index.search(["vs_a"], [asked("", at(0))], limit=10)
    close = await index.search(["vs_a"], [asked("", at(0))], limit=10, ranking=Ranking(score_threshold=0.4))

    assert [round(hit.score, 3) for hit in every] == [1.0, 0.5, 0.0]
    assert [hit.text for hit in close] == ["text 0", "text 60"]


async def test_a_chunk_found_by_words_alone_is_scored_by_its_meaning_too(index: Index):
    await index.put(a_file("file-1", [(f"filler {n}", [at(0)]) for n in range(60)]))
    await index.put(a_file("file-2", [("XJ4471 spare part", [at(60)])]))

    hits = await index.search(["vs_a"], [asked("XJ4471", at(0))], limit=60)

    assert [round(hit.score, 3) for hit in hits if hit.file_id == "file-2"] == [0.545]


async def test_a_rare_word_counts_for_more_than_a_common_one(index: Index):
    await index.put(a_file("file-common", [f"the valve number {n}" for n in range(40)], embedding=None))
    await index.put(a_file("file-rare", ["a sextant lies beside it"], embedding=None))

    hits = await index.search(["vs_a"], [asked("which valve or sextant")], limit=3)

    assert files_of(hits)[0] == "file-rare"


async def test_files_without_vectors_are_found_by_their_words(index: Index):
    await index.put(a_file("file-1", ["an anchor and a chain"], embedding=None))

    hits = await index.search(["vs_a"], [asked("anchor", at(0))], limit=5)

    assert files_of(hits) == ["file-1"]
    assert hits[0].score == 1


async def test_vectors_of_another_embedding_are_not_compared(index: Index):
    await index.put(a_file("file-old", [("old", [vector(1, 0)])], embedding="older-embedding"))
    await index.put(a_file("file-new", [("new", [at(60)])]))

    hits = await index.search(["vs_a"], [asked("", at(0))], limit=5)

    assert files_of(hits) == ["file-new"]
    assert await index.held("vs_a") == {"file-old": "older-embedding", "file-new": EMBEDDING}


async def test_vectors_of_other_dimensions_live_beside_each_other(index: Index):
    wide = b"".join(at(0) for _ in range(2))
    await index.put(a_file("file-wide", [("wide", [wide])], embedding="wide-embedding"))
    await index.put(a_file("file-narrow", [("narrow", [at(0)])]))

    for name, question, found in ((EMBEDDING, at(0), "file-narrow"), ("wide-embedding", wide, "file-wide")):
        hits = await index.search(["vs_a"], [Query("", {name: question})], limit=5)
        assert files_of(hits) == [found]


async def test_several_queries_are_one_search(index: Index):
    await index.put(a_file("file-1", [("north", [vector(1)]), ("east", [vector(0, 1)]), ("up", [vector(0, 0, 1)])]))

    hits = await index.search(["vs_a"], [asked("", vector(1)), asked("", vector(0, 1))], limit=2)

    assert {hit.text for hit in hits} == {"north", "east"}
    assert [round(hit.score, 3) for hit in hits] == [1.0, 1.0]


async def test_stores_are_searched_together_and_none_beside_them(index: Index):
    for store in ("vs_a", "vs_b", "vs_c"):
        await index.put(a_file("file-1", [(f"harbour {store}", [at(10)])], store=store))

    hits = await index.search(["vs_a", "vs_b", "vs_a", "vs_gone"], [asked("harbour", at(0))], limit=10)

    assert {hit.store_id for hit in hits} == {"vs_a", "vs_b"}
    assert len(hits) == 2


async def test_a_small_store_is_found_beside_a_large_one(index: Index):
    await index.put(a_file("file-large", [(f"harbour {n}", [at(n / 100)]) for n in range(300)], store="vs_large"))
    await index.put(a_file("file-small", [("harbour of mine", [at(50)])]))

    hits = await index.search(["vs_a"], [asked("harbour", at(0))], limit=10)

    assert files_of(hits) == ["file-small"]


async def test_a_filter_is_applied_before_ranking(index: Index):
    await index.put(
        a_file("file-large", [(f"harbour {n}", [at(n / 100)]) for n in range(300)], attributes={"year": 2020})
    )
    await index.put(a_file("file-small", [("harbour of mine", [at(50)])], attributes={"year": 2024}))

    hits = await index.search(["vs_a"], [asked("harbour", at(0))], limit=10, filter=Ordered("gt", "year", 2021))

    assert files_of(hits) == ["file-small"]


ATTRIBUTES: dict[str, dict[str, str | float | bool]] = {
    "file-none": {},
    "file-text": {"a": "5", "b": "münchen"},
    "file-number": {"a": 5, "b": 2.5},
    "file-true": {"a": True, "we ird\"'$.[0]": "x"},
    "file-large": {"a": 10.5, "b": "Z"},
}
FILTERS: dict[str, tuple[Filter, set[str]]] = {
    "text": (Equals("eq", "a", "5"), {"file-text"}),
    "number": (Equals("eq", "a", 5.0), {"file-number"}),
    "truth": (Equals("eq", "a", True), {"file-true"}),
    "not one": (Equals("ne", "a", 5), {"file-none", "file-text", "file-true", "file-large"}),
    "above": (Ordered("gt", "a", 5), {"file-large"}),
    "from": (Ordered("gte", "a", 5), {"file-number", "file-large"}),
    "below": (Ordered("lt", "a", 10.5), {"file-number"}),
    "up to": (Ordered("lte", "a", 10.5), {"file-number", "file-large"}),
    "text by code points": (Ordered("gt", "b", "Z"), {"file-text"}),
    "one of": (OneOf("in", "a", ("5", 10.5)), {"file-text", "file-large"}),
    "none of": (OneOf("nin", "a", ("5", 10.5)), {"file-none", "file-number", "file-true"}),
    "one of nothing": (OneOf("in", "a", ()), set()),
    "none of nothing": (OneOf("nin", "a", ()), set(ATTRIBUTES)),
    "odd key": (Equals("eq", "we ird\"'$.[0]", "x"), {"file-true"}),
    "and": (Joined("and", (Ordered("gte", "a", 5), Equals("eq", "b", "Z"))), {"file-large"}),
    "or": (Joined("or", (Equals("eq", "a", True), Equals("eq", "b", 2.5))), {"file-true", "file-number"}),
    "nested": (
        Joined("or", (Joined("and", (Equals("ne", "a", "5"), Ordered("lt", "b", 3))), Equals("eq", "a", True))),
        {"file-number", "file-true"},
    ),
    "and of nothing": (Joined("and", ()), set(ATTRIBUTES)),
    "or of nothing": (Joined("or", ()), set()),
}


@pytest.mark.parametrize("ranking", [ONLY_VECTORS, ONLY_WORDS, Ranking()], ids=["vectors", "words", "both"])
async def test_filters_know_types(index: Index, ranking: Ranking):
    for file_id, attributes in ATTRIBUTES.items():
        await index.put(a_file(file_id, [("harbour", [at(0)])], attributes=attributes))

    for name, (filter, expected) in FILTERS.items():
        hits = await index.search(["vs_a"], [asked("harbour", at(0))], limit=50, filter=filter, ranking=ranking)
        assert set(files_of(hits)) == expected, name


async def test_attributes_can_be_replaced(index: Index):
    await index.put(a_file("file-1", [("harbour", [at(0)])], attributes={"a": 1}))
    filter = Equals("eq", "a", 2)
    assert await index.search(["vs_a"], [asked("harbour", at(0))], limit=5, filter=filter) == []

    await index.set_attributes("vs_a", "file-1", {"a": 2})
    await index.set_attributes("vs_a", "file-gone", {"a": 2})
    await index.set_attributes("vs_gone", "file-1", {"a": 2})

    assert files_of(await index.search(["vs_a"], [asked("harbour", at(0))], limit=5, filter=filter)) == ["file-1"]


async def test_a_file_replaces_itself(index: Index):
    await index.put(a_file("file-1", [("the old harbour", [at(0)]), ("more", [at(1)])]))
    await index.search(["vs_a"], [asked("harbour", at(0))], limit=5)

    await index.put(a_file("file-1", [("the new quay", [at(0)])]))

    assert await index.search(["vs_a"], [asked("harbour")], limit=5) == []
    assert [hit.text for hit in await index.search(["vs_a"], [asked("", at(0))], limit=5)] == ["the new quay"]
    assert [chunk.text for chunk in await index.contents("vs_a", "file-1")] == ["the new quay"]


async def test_what_is_dropped_is_not_found_again(index: Index):
    for store in ("vs_a", "vs_b"):
        for file_id in ("file-1", "file-2"):
            await index.put(a_file(file_id, [(f"harbour {file_id}", [at(0)])], store=store))
    query = [asked("harbour", at(0))]
    assert len(await index.search(["vs_a", "vs_b"], query, limit=9)) == 4

    await index.drop_file("vs_a", "file-1")
    assert files_of(await index.search(["vs_a"], query, limit=9)) == ["file-2"]
    await index.drop_file("vs_a", "file-1")
    await index.drop_file("vs_gone", "file-1")

    await index.drop_store("vs_b")
    await index.drop_store("vs_b")
    assert await index.search(["vs_b"], query, limit=9) == []
    assert await index.held("vs_b") == {}
    assert await index.held("vs_a") == {"file-2": EMBEDDING}
    assert await index.stores() == ["vs_a"]

    await index.put(a_file("file-3", [("harbour again", [at(0)])], store="vs_b"))
    assert files_of(await index.search(["vs_b"], query, limit=9)) == ["file-3"]


async def test_contents_come_in_order_with_their_places(index: Index):
    await index.put(a_file("file-1", ["one ", "two ", "three"], embedding=None))

    assert await index.contents("vs_a", "file-1") == [Chunk("one ", 0, 4), Chunk("two ", 4, 8), Chunk("three", 8, 13)]


async def test_it_is_told_how_much_a_file_takes(index: Index):
    assert await index.put(a_file("file-1", [("Käse", [at(0), at(1)])])) == 5 + 2 * 16
    assert await index.put(a_file("file-2", [])) == 0


@pytest.mark.parametrize(
    "words",
    [
        '"', "'", '" OR "', "a AND", "NOT harbour", "NEAR(", "harbour*", "text : harbour", "scope : store1", "(", ")", "-",
        "harbour & !quay", "harbour:*", "a <-> b", "\\", "\\'", "'; DROP TABLE files; --", "%", "\ud800", "\u0000harbour",
        "x" * 100_000, "harbour " * 20_000, "灯台", "😀", "", " ", "the and of", "١٢٣", "ǅ",
    ],
)  # fmt: skip
async def test_no_words_mean_anything_to_the_engine(index: Index, words: str):
    await index.put(a_file("file-1", [("harbour", [at(0)])]))
    await index.put(a_file("file-1", [("quay", [at(0)])], store="vs_b"))

    hits = await index.search(["vs_a"], [asked(words, at(0))], limit=5)

    assert files_of(hits) == ["file-1"]
    assert {hit.store_id for hit in hits} == {"vs_a"}


async def test_odd_texts_are_kept_as_they_are(index: Index):
    texts = [
        "tab\tnew\nline",
        "Zwölf Boxkämpfer",
        "灯台守は船を数える",
        "😀👩‍👩‍👧",
        "'quoted' \"text\" \\",
        "x" * 50_000,
    ]
    await index.put(a_file("file-1", texts, embedding=None))

    assert [chunk.text for chunk in await index.contents("vs_a", "file-1")] == texts
    assert files_of(await index.search(["vs_a"], [asked("boxkämpfer")], limit=1)) == ["file-1"]


async def test_it_is_still_there_after_a_restart(opening):
    first = await opening()
    await first.put(a_file("file-1", [("harbour", [at(0)])], attributes={"a": 1}))
    await first.close()

    second = await opening()

    hits = await second.search(["vs_a"], [asked("harbour", at(0))], limit=5, filter=Equals("eq", "a", 1))
    assert files_of(hits) == ["file-1"]
    assert await second.check()


async def test_many_at_once_do_not_disturb_each_other(index: Index):
    async def live(number: int) -> None:
        store = f"vs_{number % 3}"
        for _ in range(3):
            await index.put(a_file(f"file-{number}", [(f"harbour {number}", [at(number)])], store=store))
            hits = await index.search([store], [asked(f"harbour {number}", at(number))], limit=50)
            assert f"file-{number}" in files_of(hits)
        await index.drop_file(store, f"file-{number}")
        assert f"file-{number}" not in files_of(await index.search([store], [asked("harbour", at(0))], limit=50))

    await asyncio.gather(*(live(number) for number in range(12)))


async def test_a_put_that_nobody_waits_for_is_whole_or_not_at_all(index: Index):
    passages = [(f"harbour {n}", [at(n)]) for n in range(200)]
    for attempt in range(5):
        putting = asyncio.create_task(index.put(a_file("file-1", passages, attributes={"attempt": attempt})))
        await asyncio.sleep(0)
        putting.cancel()
        await asyncio.gather(putting, return_exceptions=True)

    await index.put(a_file("file-2", [("quay", [at(0)])]))
    assert len(await index.contents("vs_a", "file-1")) in (0, 200)


async def test_an_index_tells_what_filters_see(index: Index):
    await index.put(a_file("file-1", ["ships"], attributes={"year": 1871, "is_open": True, "rate": 0.5, "town": "Æ"}))
    await index.put(a_file("file-2", ["boats"]))
    await index.put(a_file("file-3", ["boats"], store="vs_b", attributes={"year": 1}))

    assert await index.attributes("vs_a") == {
        "file-1": {"year": 1871, "is_open": True, "rate": 0.5, "town": "Æ"},
        "file-2": {},
    }
    await index.set_attributes("vs_a", "file-2", {"year": 2})
    assert (await index.attributes("vs_a"))["file-2"] == {"year": 2}
    assert await index.attributes("vs_none") == {}


async def test_words_alone_score_by_their_share_however_few_chunks_there_are(index: Index):
    """BM25 alone has next to nothing to say where every chunk has the words."""
    await index.put(a_file("file-all", ["The harbour of Brindlemoor freezes in January."], embedding=None))
    await index.put(a_file("file-some", ["A harbour is a place for ships and their crews."], embedding=None))

    hits = await index.search(["vs_a"], [asked("Does the harbour freeze in January?")], limit=5)
    assert files_of(hits) == ["file-all", "file-some"]
    assert hits[0].score == pytest.approx(1.0)
    assert 0.05 < hits[1].score < 0.4
    strict = Ranking(score_threshold=0.5)
    assert files_of(await index.search(["vs_a"], [asked("freezing harbours, January")], limit=5, ranking=strict)) == [
        "file-all"
    ]
    assert await index.search(["vs_a"], [asked("the harbour of Xanadu")], limit=5, ranking=strict) == []
    one = await index.search(["vs_a"], [asked("ships")], limit=5, ranking=strict)
    assert files_of(one) == ["file-some"]
    assert one[0].score == pytest.approx(1.0)
