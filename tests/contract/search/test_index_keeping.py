"""What is peculiar to each index: its file, its tables, and what becomes of those of another time."""

import pytest

from runstead.domain.errors import Unavailable
from runstead.search.postgres_index import PostgresIndex
from runstead.search.postgres_inspection import embedded_in_server
from runstead.search.sqlite_index import SqliteIndex
from tests.contract.search.conftest import CACHE
from tests.contract.search.indexed import EMBEDDING, a_file, asked, at, files_of


async def opened(path):
    return await SqliteIndex.open(path / "search.db", cache_bytes=CACHE)


@pytest.mark.parametrize("damage", ["text", "version"])
async def test_a_file_that_cannot_be_used_is_begun_anew(tmp_path, damage):
    index = await opened(tmp_path)
    await index.put(a_file("file-1", [("harbour", [at(0)])]))
    await index.close()
    if damage == "text":
        (tmp_path / "search.db").write_bytes(b"no database at all " * 1000)
    else:
        import sqlite3

        with sqlite3.connect(tmp_path / "search.db") as connection:
            connection.execute("PRAGMA user_version = 999")
        connection.close()

    again = await opened(tmp_path)

    # Whoever has the files sees that none is held, and reads them again.
    assert await again.held("vs_a") == {}
    await again.put(a_file("file-1", [("harbour", [at(0)])]))
    assert files_of(await again.search(["vs_a"], [asked("harbour", at(0))], limit=5)) == ["file-1"]
    await again.close()


async def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(Unavailable, match="taken"):
        await SqliteIndex.open(tmp_path / "taken" / "search.db", cache_bytes=CACHE)


async def test_a_closed_index_says_so(tmp_path):
    index = await opened(tmp_path)
    await index.close()

    with pytest.raises(Unavailable):
        await index.held("vs_a")


async def test_vectors_take_no_more_memory_than_they_may(tmp_path):
    one_file = a_file("file-1", [(f"harbour {n}", [at(n)]) for n in range(100)])
    room = 3 * 100 * 16 + 100
    index = await SqliteIndex.open(tmp_path / "search.db", cache_bytes=room)
    for store in range(6):
        await index.put(type(one_file)(
            store_id=f"vs_{store}",
            file_id="file-1",
            attributes={},
            embedding=EMBEDDING,
            passages=one_file.passages,
        ))  # fmt: skip
        hits = await index.search([f"vs_{store}"], [asked("", at(0))], limit=3)
        assert [hit.position for hit in hits] == [0, 1, 2]
        assert 0 < index._cache.nbytes <= room
    await index.close()


async def test_vectors_of_a_server_without_pgvector_become_its_own_when_it_comes(postgres):
    postgres.sql('CREATE DATABASE "search_upgraded"')
    url = postgres.url("search_upgraded")
    without = await PostgresIndex.open(url, cache_bytes=CACHE, wants_pgvector=False)
    await without.put(a_file("file-1", [("harbour", [at(0)]), ("quay", [at(60)])]))
    assert "no pgvector" in await without.check()
    await without.close()

    index = await PostgresIndex.open(url, cache_bytes=CACHE, exact_below=0)

    assert "pgvector finds" in await index.check()
    hits = await index.search(["vs_a"], [asked("", at(0))], limit=5)
    assert [(hit.text, round(hit.score, 3)) for hit in hits] == [("harbour", 1.0), ("quay", 0.5)]
    assert "search_windows_hnsw_4" in postgres.sql("SELECT indexname FROM pg_indexes", "search_upgraded")
    await index.close()


async def test_tables_of_a_newer_release_are_left_alone(postgres):
    postgres.sql('CREATE DATABASE "search_newer"')
    index = await PostgresIndex.open(postgres.url("search_newer"), cache_bytes=CACHE)
    await index.close()
    postgres.sql("UPDATE search_schema SET version = 999", "search_newer")

    with pytest.raises(Unavailable, match="999"):
        await PostgresIndex.open(postgres.url("search_newer"), cache_bytes=CACHE)


async def test_files_are_counted_by_their_embeddings_without_opening_an_index(postgres):
    postgres.sql('CREATE DATABASE "search_counted"')
    url = postgres.url("search_counted")
    assert await embedded_in_server(url) is None
    assert postgres.sql("SELECT to_regclass('search_files')", "search_counted") == ""
    index = await PostgresIndex.open(url, cache_bytes=CACHE)
    for number, embedding in enumerate(("letters", "letters", None)):
        await index.put(a_file(f"file-{number}", ["harbour"], embedding=embedding))
    await index.close()

    assert await embedded_in_server(url) == {"letters": 2, None: 1}
    with pytest.raises(Unavailable, match="does not answer"):
        await embedded_in_server("postgresql://nobody@127.0.0.1:9/none")


async def test_a_server_that_is_not_there_is_unavailable():
    with pytest.raises(Unavailable, match="does not answer"):
        await PostgresIndex.open("postgresql://nobody@127.0.0.1:9/none", cache_bytes=CACHE)
