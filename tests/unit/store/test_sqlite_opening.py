import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runstead.domain.change import InsertThread
from runstead.domain.errors import NotFound
from runstead.store.errors import DatabaseInUse, NewerDatabase, UnusableDatabase
from runstead.store.sqlite import SqliteStore
from tests.contract.samples import SetClock, a_thread, change


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "odd name?#%.db"


async def test_a_closed_store_is_opened_again_with_what_it_held(path) -> None:
    thread = a_thread()
    store = await SqliteStore.open_file(path, SetClock())
    await store.commit(change(InsertThread(thread)))
    await store.close()

    store = await SqliteStore.open_file(path, SetClock())
    assert await store.get_thread(thread.id) == thread
    await store.close()
    assert path.exists()


async def test_stores_in_memory_are_strangers() -> None:
    one, other = await SqliteStore.open_memory(SetClock()), await SqliteStore.open_memory(SetClock())
    thread = a_thread()
    await one.commit(change(InsertThread(thread)))

    with pytest.raises(NotFound):
        await other.get_thread(thread.id)
    await one.close()
    await other.close()


async def test_what_is_acknowledged_is_durable(path) -> None:
    store = await SqliteStore.open_file(path, SetClock())

    async def pragma(name: str):
        return await store._writer.do(lambda connection: connection.execute(f"PRAGMA {name}").fetchone()[0])

    assert await pragma("journal_mode") == "wal"
    assert await pragma("synchronous") == 2
    assert await pragma("foreign_keys") == 1
    await store.close()


async def test_reading_cannot_write(path) -> None:
    store = await SqliteStore.open_file(path, SetClock())

    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        store._reader.execute("DELETE FROM threads")
    await store.close()


async def test_a_file_is_served_once(path) -> None:
    store = await SqliteStore.open_file(path, SetClock())

    with pytest.raises(DatabaseInUse):
        await SqliteStore.open_file(path, SetClock())

    await store.commit(change(InsertThread(a_thread())))
    await store.close()


@pytest.mark.parametrize("damage", [b"This is a letter to my aunt. " * 300, b"SQLite format 3\0" + b"\xff" * 5000])
async def test_a_file_that_is_no_database_is_refused_and_left_alone(path, damage) -> None:
    path.write_bytes(damage)

    with pytest.raises(UnusableDatabase, match=r"odd name.* cannot be used"):
        await SqliteStore.open_file(path, SetClock())

    assert path.read_bytes() == damage


async def test_a_missing_folder_is_named(tmp_path) -> None:
    with pytest.raises(UnusableDatabase, match=r"nowhere.*No such file or directory"):
        await SqliteStore.open_file(tmp_path / "nowhere" / "a.db", SetClock())


async def test_a_folder_is_no_database(tmp_path) -> None:
    path = tmp_path / "folder.db"
    path.mkdir()

    with pytest.raises(UnusableDatabase):
        await SqliteStore.open_file(path, SetClock())


async def test_a_newer_database_is_refused_and_stays_free(path) -> None:
    await (await SqliteStore.open_file(path, SetClock())).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO migrations VALUES (999, 'from the future')")

    for _ in range(2):
        with pytest.raises(NewerDatabase, match="999"):
            await SqliteStore.open_file(path, SetClock())
