"""Disks fill up, other programs lock the file, waiters go away: what the store says, and that it goes on."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from runstead.domain.change import InsertMessage, InsertRun, InsertThread
from runstead.domain.errors import NotFound, ThreadHasActiveRun, Unavailable
from runstead.ports import PageRequest
from runstead.store import sqlite_writer
from runstead.store.errors import UnusableDatabase
from runstead.store.sqlite import SqliteStore
from tests.contract.samples import SetClock, a_message, a_record, a_thread, change, thread_with


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open_file(path, SetClock())
    yield opened
    await opened.close()


@pytest.fixture
def commits(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many changes each COMMIT held, as they happen."""
    sizes: list[int] = []
    apply = store._writer._apply

    def count_and_apply(group: list[sqlite_writer._Job]) -> None:
        sizes.append(len(group))
        apply(group)

    monkeypatch.setattr(store._writer, "_apply", count_and_apply)
    return sizes


async def limit_pages(store: SqliteStore, pages: int) -> None:
    """SQLite never goes below what the file has already."""
    await store._writer.do(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone())


async def test_what_waits_together_is_committed_together(store, commits) -> None:
    threads = [a_thread() for _ in range(20)]

    await asyncio.gather(*(store.commit(change(InsertThread(thread))) for thread in threads))

    assert commits == [20]


async def test_a_group_has_a_bound(store, commits) -> None:
    many = sqlite_writer._LARGEST_GROUP + 3

    await asyncio.gather(*(store.commit(change(InsertThread(a_thread()))) for _ in range(many)))

    assert commits == [sqlite_writer._LARGEST_GROUP, 3]


async def test_nobody_hears_before_the_commit(store, path) -> None:
    with closing(sqlite3.connect(path)) as witness:
        seen = []

        async def commit_and_look() -> None:
            await store.commit(change(InsertThread(a_thread())))
            seen.append(witness.execute("SELECT count(*) FROM threads").fetchone()[0])

        await asyncio.gather(*(commit_and_look() for _ in range(5)))

    assert seen == [5] * 5


async def test_the_order_of_asking_is_the_order_of_the_list(store) -> None:
    threads = [a_thread() for _ in range(100)]

    await asyncio.gather(*(store.commit(change(InsertThread(thread))) for thread in threads))

    assert (await store.page_threads(PageRequest(100, "asc"), {})).items == threads


async def test_a_full_disk_is_said_and_survived(store) -> None:
    thread = a_thread()
    await store.commit(change(InsertThread(thread)))
    await limit_pages(store, 1)
    big = a_message(thread, "x" * 1_000_000)

    with pytest.raises(Unavailable, match="cannot be written: database or disk is full"):
        await store.commit(change(InsertMessage(big)))

    assert (await store.page_messages(thread.id, PageRequest())).items == []
    await limit_pages(store, 1_000_000)
    await store.commit(change(InsertMessage(big)))
    assert await store.get_message(thread.id, big.id) == big


async def test_a_disk_that_fills_up_takes_the_group_and_nothing_of_it_stays(store) -> None:
    thread, fitting = a_thread(), a_thread()
    await store.commit(change(InsertThread(thread)))
    await limit_pages(store, 1)

    outcomes = await asyncio.gather(
        store.commit(change(InsertThread(fitting))),
        store.commit(change(InsertMessage(a_message(thread, "x" * 1_000_000)))),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes] == [Unavailable, Unavailable]
    with pytest.raises(NotFound):
        await store.get_thread(fitting.id)


class FailingCommit:
    """A connection whose COMMIT fails once, as on a disk that reports an error."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._has_failed = False

    def __getattr__(self, name: str):
        return getattr(self._connection, name)

    def commit(self) -> None:
        if not self._has_failed:
            self._has_failed = True
            raise sqlite3.OperationalError("disk I/O error")
        self._connection.commit()


async def test_a_failed_commit_is_told_to_the_whole_group_also_to_the_refused(store, monkeypatch) -> None:
    thread = a_thread()
    first, second = a_record(thread), a_record(thread)
    await store.commit(change(InsertThread(thread)))
    monkeypatch.setattr(store._writer, "_connection", FailingCommit(store._writer._connection))

    outcomes = await asyncio.gather(
        store.commit(change(InsertRun(first))), store.commit(change(InsertRun(second))), return_exceptions=True
    )

    assert [str(outcome) for outcome in outcomes] == ["The database cannot be written: disk I/O error."] * 2
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
    assert await store.find_active_run(thread.id) is None
    await store.commit(change(InsertRun(second)))
    with pytest.raises(ThreadHasActiveRun):
        await store.commit(change(InsertRun(first)))


async def test_work_that_breaks_breaks_alone(store) -> None:
    thread = a_thread()

    def breaks(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM threads")
        raise ZeroDivisionError

    outcomes = await asyncio.gather(
        store.commit(change(InsertThread(thread))),
        store._writer.do(breaks),
        store._writer.do(lambda connection: connection.execute("SELECT :missing", {})),
        store.commit(thread_with(a_thread())),
        return_exceptions=True,
    )

    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [type(None), ZeroDivisionError, sqlite3.ProgrammingError, type(None)]
    assert await store.get_thread(thread.id) == thread


async def test_a_waiter_that_goes_away_does_not_disturb_its_group(store) -> None:
    gone, stays = a_thread(), a_thread()
    leaving = asyncio.ensure_future(store.commit(change(InsertThread(gone))))
    staying = asyncio.ensure_future(store.commit(change(InsertThread(stays))))
    await asyncio.sleep(0)  # both have asked, nothing is committed yet
    leaving.cancel()

    await staying

    assert leaving.cancelled()
    assert await store.get_thread(stays.id) == stays
    await store.commit(change(InsertThread(a_thread())))


async def test_a_file_locked_by_another_program_is_waited_for_without_stopping_the_loop(store, path) -> None:
    thread = a_thread()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        commit = asyncio.ensure_future(store.commit(change(InsertThread(thread))))
        # The loop turns and reads are answered meanwhile.
        for _ in range(50):
            await asyncio.sleep(0)
            assert (await store.page_threads(PageRequest(), {})).items == []
        assert not commit.done()
        other.execute("ROLLBACK")

        await commit

    assert await store.get_thread(thread.id) == thread


async def test_a_file_that_stays_locked_is_unavailable(store, path, monkeypatch) -> None:
    monkeypatch.setattr(sqlite_writer, "_WAIT_FOR_LOCK", 0.02)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(Unavailable, match="database is locked"):
            await store.commit(change(InsertThread(a_thread())))

    await store.commit(change(InsertThread(a_thread())))


async def test_closing_finishes_what_was_accepted_and_refuses_the_rest(path) -> None:
    store = await SqliteStore.open_file(path, SetClock())
    threads = [a_thread() for _ in range(100)]
    accepted = [asyncio.ensure_future(store.commit(change(InsertThread(thread)))) for thread in threads]
    await asyncio.sleep(0)  # all have asked

    await asyncio.gather(store.close(), store.close())

    assert [commit.exception() for commit in accepted] == [None] * 100
    with pytest.raises(Unavailable):
        await store.commit(change(InsertThread(a_thread())))
    with pytest.raises(Unavailable):
        await store.get_thread(threads[0].id)
    with pytest.raises(Unavailable):
        await store.snapshot(a_record(threads[0]).run.id, 1)
    again = await SqliteStore.open_file(path, SetClock())
    assert len((await again.page_threads(PageRequest(200), {})).items) == 100
    await again.close()


async def test_a_damaged_file_is_unavailable_and_no_crash(path) -> None:
    thread = a_thread()

    async def read_messages() -> None:
        store = await SqliteStore.open_file(path, SetClock())
        try:
            await store.page_messages(thread.id, PageRequest())
        finally:
            await store.close()

    store = await SqliteStore.open_file(path, SetClock())
    await store.commit(change(InsertThread(thread)))
    await store.commit(change(*(InsertMessage(a_message(thread, "x" * 3000)) for _ in range(50))))
    await store.close()
    content = path.read_bytes()
    # All but the first page; SQLite's check of a page's own header finds it.
    path.write_bytes(content[:4096] + b"\xee" * (len(content) - 4096))

    with pytest.raises((UnusableDatabase, Unavailable), match=r"cannot be (used|read): .*malformed"):
        await read_messages()
