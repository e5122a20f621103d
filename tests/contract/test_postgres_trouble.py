"""Servers that die, stand still or are in the way: what the store says, and that it goes on by itself."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from runstead.domain.change import AddMessage, InsertRun, InsertThread, ReplaceRun
from runstead.domain.errors import Stale, ThreadHasActiveRun, Unavailable
from runstead.store.postgres import PostgresStore
from runstead.store.postgres_connections import Limits
from runstead.wire.threads import Thread
from tests.contract.postgres_server import PostgresServer, a_server
from tests.contract.samples import a_message, a_record, a_thread, change, claimed, ended, thread_with

SHORT = Limits(connect=1.0, statement=1.0, lock=0.3, patience=0.5, readers=2)
IS_RUNNING = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query = $1 AND state = 'active')"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of our own: the others' must not be killed."""
    with a_server() as server:
        yield server


@pytest.fixture
async def store(server: PostgresServer) -> AsyncIterator[PostgresStore]:
    opened = await PostgresStore.open(server.url(), limits=SHORT)
    yield opened
    await opened.close()


async def eventually(asked) -> None:
    """Until a question is answered again."""
    give_up_at = time.monotonic() + 20
    while True:
        try:
            await asked()
        except Unavailable:
            assert time.monotonic() < give_up_at
            await asyncio.sleep(0.02)
        else:
            return


async def until(is_so) -> None:
    give_up_at = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < give_up_at
        await asyncio.sleep(0.01)


async def writes_until(stop: asyncio.Event, store: PostgresStore, stored: list[Thread], doubtful: list[Thread]) -> None:
    while not stop.is_set():
        thread = a_thread()
        try:
            await store.commit(change(InsertThread(thread)))
        except Unavailable:
            doubtful.append(thread)
            await asyncio.sleep(0.01)
        else:
            stored.append(thread)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGQUIT])
async def test_a_server_that_goes_and_comes_back_loses_nothing_acknowledged(server, store, how) -> None:
    stored: list[Thread] = []
    doubtful: list[Thread] = []
    stop = asyncio.Event()
    writers = [asyncio.create_task(writes_until(stop, store, stored, doubtful)) for _ in range(8)]
    await until(lambda: len(stored) >= 200)

    await asyncio.to_thread(server.stop, how)
    with pytest.raises(Unavailable, match="does not answer"):
        await store.get_thread(stored[0].id)
    with pytest.raises(Unavailable):
        await store.renew("node", 1.0)
    await until(lambda: doubtful)
    before = len(stored)
    await asyncio.to_thread(server.start)
    await until(lambda: len(stored) >= before + 200)

    stop.set()
    await asyncio.gather(*writers)
    for thread in stored:
        assert await store.get_thread(thread.id) == thread
    for thread in doubtful:
        # Trying again does no harm: it is stored once, whoever stored it.
        try:
            await store.commit(change(InsertThread(thread)))
        except Stale:
            assert await store.get_thread(thread.id) == thread


async def test_connections_that_are_cut_are_made_again(server, store) -> None:
    thread = a_thread()
    await store.commit(change(InsertThread(thread)))
    await store.get_thread(thread.id)

    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")

    assert await store.get_thread(thread.id) == thread
    await store.commit(change(AddMessage(a_message(thread))))


class LosesTheAnswer:
    """A connection that breaks at a group of changes: before the server gets it, or before we get the answer."""

    def __init__(self, connection, *, arrives: bool) -> None:
        self._connection = connection
        self._arrives = arrives

    async def fetchrow(self, *arguments):
        if self._arrives:
            await self._connection.fetchrow(*arguments)
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")

    def __getattr__(self, name):
        return getattr(self._connection, name)


def lose_the_next_answer(store: PostgresStore, *, arrives: bool) -> None:
    session = store._writer._session
    session.connection = LosesTheAnswer(session.connection, arrives=arrives)


async def test_a_commit_whose_answer_was_lost_is_reported_as_it_ended(store) -> None:
    thread = a_thread()
    record = claimed(a_record(thread))
    await store.commit(thread_with(thread, record))
    lose_the_next_answer(store, arrives=True)

    outcomes = await asyncio.gather(
        store.commit(change(ReplaceRun(ended(record), record))),
        store.commit(change(ReplaceRun(ended(record), record))),
        store.commit(thread_with(a_thread(), a_record(thread))),
        store.commit(change(InsertRun(a_record(thread)))),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes] == [type(None), Stale, type(None), ThreadHasActiveRun]
    stored = await store.find_run(record.run.id)
    assert stored is not None
    assert stored.run.status == "completed"


async def test_a_commit_that_never_arrived_is_sent_again(store) -> None:
    thread = a_thread()
    lose_the_next_answer(store, arrives=False)

    await store.commit(change(InsertThread(thread)))

    assert await store.get_thread(thread.id) == thread


async def test_a_commit_that_never_arrives_is_unavailable_and_was_not_done(store, monkeypatch) -> None:
    thread = a_thread()
    begin = store._writer._begin_session

    async def begin_badly():
        session = await begin()
        session.connection = LosesTheAnswer(session.connection, arrives=False)
        return session

    lose_the_next_answer(store, arrives=False)
    monkeypatch.setattr(store._writer, "_begin_session", begin_badly)
    with pytest.raises(Unavailable):
        await store.commit(change(InsertThread(thread)))
    monkeypatch.undo()
    store._writer._abandon()

    await store.commit(change(InsertThread(thread)))


async def test_a_group_that_arrives_late_is_shut_out(store) -> None:
    await store.commit(change(InsertThread(a_thread())))
    late, writer, term = store._writer._session, store._writer._id, store._writer._session.term
    store._writer._session = None
    await store.commit(change(InsertThread(a_thread())))

    with pytest.raises(asyncpg.PostgresError) as refused:
        await late.connection.fetchrow(
            "SELECT apply_changes($1, $2, 99, '{}', '{}', '{}', '', '{}', '{}', '{}')", writer, term
        )

    assert refused.value.sqlstate == "RS001"
    await late.connection.close()


async def test_a_thread_that_somebody_holds_keeps_only_its_own_changes_waiting(server, store) -> None:
    held, free = a_thread(), a_thread()
    await store.commit(change(InsertThread(held), InsertThread(free)))
    someone = await asyncpg.connect(server.url())
    async with someone.transaction():
        await someone.execute("SELECT 1 FROM threads WHERE id = $1 FOR UPDATE", held.id)

        outcomes = await asyncio.gather(
            store.commit(change(AddMessage(a_message(free)))),
            store.commit(change(AddMessage(a_message(held)))),
            store.commit(change(AddMessage(a_message(free)))),
            return_exceptions=True,
        )

    assert [type(outcome) for outcome in outcomes] == [type(None), Unavailable, type(None)]
    await store.commit(change(AddMessage(a_message(held))))
    await someone.close()


async def test_a_statement_has_its_time_and_no_more(store) -> None:
    with pytest.raises(Unavailable, match="statement timeout"):
        await store.all_rows("SELECT pg_sleep(20)", {})

    assert await store.all_rows("SELECT 1", {})


async def test_who_finds_every_connection_busy_waits_and_is_told(store) -> None:
    asked = [store.all_rows("SELECT pg_sleep(0.8)", {}) for _ in range(SHORT.readers)]
    outcomes = await asyncio.gather(*asked, store.all_rows("SELECT 1", {}), return_exceptions=True)

    assert isinstance(outcomes[-1], Unavailable)
    assert "busy" in str(outcomes[-1])
    asked = [store.all_rows("SELECT pg_sleep(0.2)", {}) for _ in range(SHORT.readers)]
    assert (await asyncio.gather(*asked, store.all_rows("SELECT 1", {})))[-1]


async def test_readers_are_served_in_turn(server) -> None:
    store = await PostgresStore.open(server.url(), limits=Limits(readers=1))
    served: list[int] = []

    async def read(number: int) -> None:
        await store.all_rows("SELECT 1", {})
        served.append(number)
        # And comes again at once, as a busy server's handlers do.
        await store.all_rows("SELECT 2", {})
        served.append(number)

    await asyncio.gather(*(read(number) for number in range(20)))

    assert served == [*range(20), *range(20)]
    await store.close()


async def test_a_reader_who_leaves_takes_no_connection_along(server, store) -> None:
    watcher = await asyncpg.connect(server.url())
    for number in range(3 * SHORT.readers):
        sleeping = f"SELECT pg_sleep(20) AS sleeper_{number}"
        leaving = asyncio.create_task(store.all_rows(sleeping, {}))
        while not await watcher.fetchval(IS_RUNNING, sleeping):
            assert not leaving.done()
            await asyncio.sleep(0.01)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
    await watcher.close()

    assert await store.all_rows("SELECT 1", {})


async def test_a_server_that_stands_still_is_given_up_and_taken_back(server, store) -> None:
    await store.commit(change(InsertThread(a_thread())))
    pid = store._writer._session.connection.get_server_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        asked_at = time.monotonic()
        with pytest.raises(Unavailable):
            await store.commit(change(InsertThread(a_thread())))
        assert time.monotonic() - asked_at < SHORT.statement + 2 + SHORT.patience + 2
    finally:
        os.kill(pid, signal.SIGCONT)

    await eventually(lambda: store.commit(change(InsertThread(a_thread()))))


async def test_a_waiter_that_left_does_not_disturb_the_others(store) -> None:
    leaving = asyncio.create_task(store.commit(change(InsertThread(a_thread()))))
    staying = asyncio.create_task(store.commit(change(InsertThread(a_thread()))))
    await asyncio.sleep(0)
    leaving.cancel()

    await staying


async def test_a_closed_store_says_so_and_leaves_nothing_behind(server) -> None:
    store = await PostgresStore.open(server.url(), limits=SHORT)
    last = a_thread()
    accepted = asyncio.create_task(store.commit(change(InsertThread(last))))
    await asyncio.sleep(0)
    writer = store._writer._id

    await store.close()

    await accepted
    with pytest.raises(Unavailable, match="closed"):
        await store.commit(change(InsertThread(a_thread())))
    with pytest.raises(Unavailable, match="closed"):
        await store.get_thread(last.id)
    assert server.sql(f"SELECT count(*) FROM writers WHERE id = '{writer}'") == "0"


async def test_a_change_too_large_for_a_group_goes_alone(store) -> None:
    thread = a_thread()
    await store.commit(change(InsertThread(thread)))

    await asyncio.gather(*(store.commit(change(AddMessage(a_message(thread, "x" * 3_000_000)))) for _ in range(3)))


async def test_an_answer_that_takes_long_is_waited_for_while_the_server_lives(server) -> None:
    store = await PostgresStore.open(server.url(), limits=Limits(sign_of_life=1.0))
    asked = time.monotonic()
    await store.all_rows("SELECT pg_sleep(2)", {})
    assert time.monotonic() - asked >= 2
    await store.close()
