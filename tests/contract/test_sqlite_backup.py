"""Copies of a database in use are whole, of one moment, and refuse what no copy should be made of."""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runstead.domain.change import InsertMessage, InsertThread
from runstead.store.errors import UnusableDatabase
from runstead.store.sqlite import SqliteStore
from runstead.store.sqlite_backup import copy_database
from tests.contract.samples import SetClock, a_message, a_thread, change


async def write(store: SqliteStore, until: asyncio.Event) -> list[str]:
    """Threads, each with a message in the same change, one after the other."""
    written: list[str] = []
    while not until.is_set():
        thread = a_thread()
        await store.commit(change(InsertThread(thread), InsertMessage(a_message(thread))))
        written.append(thread.id)
    return written


def ids(path: Path, table: str, column: str) -> list[str]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return [row[0] for row in connection.execute(f"SELECT {column} FROM {table} ORDER BY seq")]


async def test_a_copy_made_under_load_is_of_one_moment(tmp_path: Path) -> None:
    source = tmp_path / "runstead.db"
    store = await SqliteStore.open_file(source, SetClock())
    enough = asyncio.Event()
    writing = asyncio.create_task(write(store, enough))
    copies = [tmp_path / f"copy-{number}.db" for number in range(5)]
    counts = []
    for copy in copies:
        await store.commit(change(InsertThread(last := a_thread())))
        await asyncio.to_thread(copy_database, source, copy)
        threads, spoken_in = ids(copy, "threads", "id"), ids(copy, "messages", "thread_id")
        assert last.id in threads
        counts.append(len(spoken_in))
        assert set(spoken_in) <= set(threads)
        # Those without a message are the ones of this loop.
        assert len(threads) - len(spoken_in) == len(counts)
    enough.set()
    written = await writing
    await store.close()
    assert counts == sorted(counts)
    assert ids(copies[-1], "messages", "thread_id") == written[: counts[-1]]


async def test_a_copy_is_one_file_that_a_server_serves(tmp_path: Path) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    store = await SqliteStore.open_file(tmp_path / "runstead.db", SetClock())
    await store.commit(change(InsertThread(thread := a_thread())))

    copy_database(tmp_path / "runstead.db", copy := elsewhere / "runstead.db")
    await store.close()

    assert [path.name for path in elsewhere.iterdir()] == ["runstead.db"]
    assert copy.stat().st_mode & 0o777 == 0o600
    served = await SqliteStore.open_file(copy, SetClock())
    assert await served.get_thread(thread.id) == thread
    await served.close()


async def test_what_was_left_in_the_log_by_a_kill_is_copied(tmp_path: Path) -> None:
    source = tmp_path / "runstead.db"
    store = await SqliteStore.open_file(source, SetClock())
    await store.commit(change(InsertThread(thread := a_thread())))
    # As a kill leaves them: what is in the log is not in the file.
    (left := tmp_path / "left").mkdir()
    for suffix in ("", "-wal"):
        (left / f"runstead.db{suffix}").write_bytes((tmp_path / f"runstead.db{suffix}").read_bytes())
    await store.close()

    copy_database(left / "runstead.db", tmp_path / "copy.db")

    assert ids(tmp_path / "copy.db", "threads", "id") == [thread.id]


async def test_a_damaged_database_is_not_copied(tmp_path: Path) -> None:
    source = tmp_path / "runstead.db"
    store = await SqliteStore.open_file(source, SetClock())
    for _ in range(200):
        await store.commit(change(InsertThread(a_thread())))
    await store.close()
    with source.open("r+b") as file:
        # Not the first page, which tells what the file is.
        file.seek(source.stat().st_size - 3 * 4096)
        file.write(os.urandom(2 * 4096))

    with pytest.raises(UnusableDatabase, match=r"damaged|malformed"):
        copy_database(source, tmp_path / "copy.db")


@pytest.mark.parametrize("content", [None, b"", b"no database " * 1000])
def test_what_is_no_database_of_ours_is_refused(tmp_path: Path, content) -> None:
    source = tmp_path / "runstead.db"
    if content is not None:
        source.write_bytes(content)

    with pytest.raises(UnusableDatabase):
        copy_database(source, tmp_path / "copy.db")

    assert not (tmp_path / "copy.db").exists()
