"""Files on their way into vector stores, and searches, with the official client's own helpers."""

import io

import pytest
from openai import BadRequestError

from tests.acceptance.refusals import not_found, refusal
from tests.acceptance.v2.stores import a_file, stores_of
from tests.acceptance.waiting import eventually

POLL_MS = 20
WORDS = {
    "harbour.txt": "The harbour of Brindlemoor freezes in January.",
    "light.md": "# Light\n\nAda Quillfeather built the lighthouse of Brindlemoor in 1871.",
    "bread.html": "<html><body><h1>Bread</h1><p>Bakers of Brindlemoor rise before dawn.</p></body></html>",
    "ships.csv": "ship,year\nPelican,1890\nCormorant,1902\n",
    "keeper.json": '{"keeper": "Tove", "since": 1899}',
    "grüße.py": "def greet() -> str:\n    return 'ahoy'\n",
}


@pytest.fixture
def stores(client):
    found = stores_of(client)
    if not hasattr(found, "search"):
        pytest.skip("this client cannot search")
    return found


def contents(name: str) -> tuple[str, io.BytesIO]:
    return name, io.BytesIO(WORDS[name].encode())


@pytest.fixture
def library(client, stores):
    """Three files in a store, with attributes; and their ids by name."""
    store, ids = stores.create(), {}
    for year, name in enumerate(("harbour.txt", "light.md", "bread.html"), 2020):
        ids[name] = a_file(client, name, WORDS[name].encode()).id
        added = stores.files.create_and_poll(
            ids[name], vector_store_id=store.id, poll_interval_ms=POLL_MS, attributes={"year": year, "kind": name[-2:]}
        )
        assert added.status == "completed"
    return store, ids


def names(page) -> list[str]:
    return [result.filename for result in page.data]


def test_a_file_is_created_and_polled(client, stores) -> None:
    store, file = stores.create(), a_file(client, "light.md", WORDS["light.md"].encode())

    done = stores.files.create_and_poll(file.id, vector_store_id=store.id, poll_interval_ms=POLL_MS)

    assert (done.status, done.last_error) == ("completed", None)
    assert done.usage_bytes > 0
    seen = stores.retrieve(store.id)
    assert (seen.status, seen.file_counts.completed, seen.usage_bytes) == ("completed", 1, done.usage_bytes)


def test_a_file_is_uploaded_and_polled(client, stores) -> None:
    store = stores.create()

    done = stores.files.upload_and_poll(
        vector_store_id=store.id, file=contents("harbour.txt"), poll_interval_ms=POLL_MS
    )

    assert done.status == "completed"
    assert client.files.retrieve(done.id).filename == "harbour.txt"
    [found] = stores.search(store.id, query="harbour").data
    assert (found.file_id, found.filename, found.attributes) == (done.id, "harbour.txt", {})
    assert [part.text for part in found.content] == [WORDS["harbour.txt"]]


def test_files_of_many_formats_are_uploaded_as_a_batch(client, stores) -> None:
    store = stores.create()

    batch = stores.file_batches.upload_and_poll(
        store.id, files=[contents(name) for name in WORDS], poll_interval_ms=POLL_MS
    )

    assert batch.status == "completed"
    assert (batch.file_counts.completed, batch.file_counts.total) == (len(WORDS), len(WORDS))
    expected = {
        "frozen harbour January": "harbour.txt",
        "Quillfeather": "light.md",
        "bakers": "bread.html",
        "Pelican": "ships.csv",
        "Tove": "keeper.json",
        "ahoy": "grüße.py",
    }
    for query, name in expected.items():
        assert stores.search(store.id, query=query).data[0].filename == name


def test_files_in_a_batch_that_fail_do_not_keep_others(client, stores) -> None:
    store = stores.create()
    good, bad = a_file(client, "light.md", WORDS["light.md"].encode()), a_file(client, "b.pdf", b"%PDF-1.4 and no more")

    batch = stores.file_batches.create_and_poll(store.id, file_ids=[good.id, bad.id], poll_interval_ms=POLL_MS)

    assert (batch.status, batch.file_counts.completed, batch.file_counts.failed) == ("completed", 1, 1)
    [failed] = stores.file_batches.list_files(batch.id, vector_store_id=store.id, filter="failed")
    assert (failed.id, failed.last_error.code) == (bad.id, "invalid_file")
    assert failed.last_error.message
    [done] = stores.file_batches.list_files(batch.id, vector_store_id=store.id, filter="completed")
    assert done.id == good.id
    assert list(stores.file_batches.list_files(batch.id, vector_store_id=store.id, filter="in_progress")) == []


def test_a_store_shows_how_far_it_is(client, stores) -> None:
    files = [a_file(client, f"{i}.txt", b"Lighthouse %d" % i).id for i in range(6)]
    store = stores.create(file_ids=files)
    assert (store.status, store.file_counts.total) == ("in_progress", 6)

    done = eventually(lambda: stores.retrieve(store.id), lambda seen: seen.status == "completed")

    counts = done.file_counts
    assert (counts.completed, counts.in_progress, counts.failed, counts.cancelled) == (6, 0, 0, 0)


def test_a_search_answers_with_scores_in_order(stores, library) -> None:
    store, ids = library

    page = stores.search(store.id, query="Who built the lighthouse of Brindlemoor?")

    assert page.object == "vector_store.search_results.page"
    assert page.search_query == ["Who built the lighthouse of Brindlemoor?"]
    assert page.data[0].file_id == ids["light.md"]
    assert page.data[0].attributes == {"year": 2021, "kind": "md"}
    scores = [result.score for result in page.data]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)


def test_several_queries_are_one_search(stores, library) -> None:
    store, _ = library

    page = stores.search(store.id, query=["bakers", "harbour"])

    assert page.search_query == ["bakers", "harbour"]
    assert set(names(page)[:2]) == {"bread.html", "harbour.txt"}
    assert len(names(page)) == len(set(names(page)))


def test_as_many_results_as_are_asked_for(stores, library) -> None:
    store, _ = library

    assert len(stores.search(store.id, query="Brindlemoor").data) == 3
    assert len(stores.search(store.id, query="Brindlemoor", max_num_results=1).data) == 1
    assert refusal(stores.search, store.id, query="x", max_num_results=51).param == "max_num_results"
    assert refusal(stores.search, store.id, query="x", max_num_results=0).param == "max_num_results"


def test_a_perfect_hit_scores_and_a_stranger_does_not(stores, library) -> None:
    store, ids = library

    strict = {"score_threshold": 0.5}
    page = stores.search(store.id, query="harbour Brindlemoor freezes January", ranking_options=strict)

    assert [result.file_id for result in page.data] == [ids["harbour.txt"]]
    assert stores.search(store.id, query="zebra", ranking_options=strict).data == []


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ({"type": "eq", "key": "year", "value": 2021}, {"light.md"}),
        ({"type": "ne", "key": "year", "value": 2021}, {"harbour.txt", "bread.html"}),
        ({"type": "gt", "key": "year", "value": 2020}, {"light.md", "bread.html"}),
        ({"type": "lte", "key": "year", "value": 2021}, {"light.md", "harbour.txt"}),
        ({"type": "in", "key": "kind", "value": ["md", "xt"]}, {"light.md", "harbour.txt"}),
        ({"type": "nin", "key": "kind", "value": ["md", "xt"]}, {"bread.html"}),
        (
            {
                "type": "or",
                "filters": [
                    {"type": "eq", "key": "kind", "value": "md"},
                    {
                        "type": "and",
                        "filters": [
                            {"type": "gte", "key": "year", "value": 2020},
                            {"type": "lt", "key": "year", "value": 2021},
                        ],
                    },
                ],
            },
            {"light.md", "harbour.txt"},
        ),
        ({"type": "eq", "key": "unheard-of", "value": True}, set()),
    ],
)
def test_filters_choose_files(stores, library, filter, expected) -> None:
    store, _ = library

    assert set(names(stores.search(store.id, query="Brindlemoor", filters=filter))) == expected


def test_filters_see_attributes_as_soon_as_they_are_set(stores, library) -> None:
    store, ids = library
    for year in range(2030, 2040):
        stores.files.update(ids["light.md"], vector_store_id=store.id, attributes={"year": year})
        found = stores.search(store.id, query="lighthouse", filters={"type": "eq", "key": "year", "value": year})
        assert names(found) == ["light.md"]
        assert found.data[0].attributes == {"year": year}
        older = {"type": "eq", "key": "year", "value": year - 1}
        assert names(stores.search(store.id, query="lighthouse", filters=older)) == []


def test_what_was_deleted_is_not_found(client, stores, library) -> None:
    store, ids = library

    stores.files.delete(ids["light.md"], vector_store_id=store.id)
    client.files.delete(ids["bread.html"])

    assert names(stores.search(store.id, query="Brindlemoor")) == ["harbour.txt"]
    stores.delete(store.id)
    assert refusal(stores.search, store.id, query="x") == not_found(f"Vector store with id '{store.id}' not found.")


def test_the_content_of_a_file_is_shown(stores, library) -> None:
    store, ids = library

    page = stores.files.content(ids["light.md"], vector_store_id=store.id)

    assert [part.text for part in page.data] == [WORDS["light.md"]]
    assert {part.type for part in page.data} == {"text"}


def test_chunks_overlap_as_they_were_asked_to(client, stores) -> None:
    store = stores.create()
    words = " ".join(f"word{i}" for i in range(400))
    file = a_file(client, "long.txt", words.encode())
    strategy = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 50}}

    done = stores.files.create_and_poll(
        file.id, vector_store_id=store.id, chunking_strategy=strategy, poll_interval_ms=POLL_MS
    )

    assert done.chunking_strategy.static.max_chunk_size_tokens == 100
    parts = [part.text for part in stores.files.content(file.id, vector_store_id=store.id).data]
    assert len(parts) > 10
    assert parts[0].split()[-1] in parts[1].split()
    found = stores.search(store.id, query="word399").data[0]
    assert "word399" in found.content[0].text


def test_a_cancelled_batch_has_no_more_in_progress(client, stores) -> None:
    store = stores.create()
    files = [a_file(client, f"{i}.txt", b"Lighthouse. " * 20_000).id for i in range(10)]
    batch = stores.file_batches.create(store.id, file_ids=files)

    cancelled = stores.file_batches.cancel(batch.id, vector_store_id=store.id)

    counts = cancelled.file_counts
    assert (cancelled.status, counts.in_progress, counts.total) == ("cancelled", 0, 10)
    assert counts.cancelled + counts.completed == 10
    # It stays so, whatever was being read at that moment.
    other = stores.files.upload_and_poll(vector_store_id=store.id, file=contents("light.md"), poll_interval_ms=POLL_MS)
    assert other.status == "completed"
    again = stores.file_batches.retrieve(batch.id, vector_store_id=store.id)
    assert again.file_counts == counts
    shown = {result.file_id for result in stores.search(store.id, query="lighthouse", max_num_results=50).data}
    kept = {file.id for file in stores.files.list(store.id, filter="completed", limit=100)}
    assert shown <= kept


def test_odd_queries_are_answered_or_refused(stores, library) -> None:
    store, _ = library
    for query in ("", " ", "?!", "'; DROP TABLE chunks; --", '"unclosed', "AND OR NOT *", "🗼", "x" * 4096):
        found = stores.search(store.id, query=query) if query.strip() else None
        assert found is None or found.object == "vector_store.search_results.page"
    for filter in (
        {"type": "like", "key": "year", "value": 1},
        {"type": "eq", "key": "year"},
        {"type": "and", "filters": "none"},
        {"type": "in", "key": "year", "value": 1},
    ):
        assert refusal(stores.search, store.id, query="x", filters=filter).kind is BadRequestError
