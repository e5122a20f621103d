"""Where code sessions are: noted under the lease of a run, renewed by node, and gone with their thread."""

import asyncio

import pytest
from msgspec.structs import replace

from runstead.domain.change import DeleteThread, ReplaceRun
from runstead.domain.code_sessions import CodeSession, LetGoOfCodeSession, TakeCodeSession
from runstead.domain.errors import Stale
from runstead.domain.records import RunRecord
from runstead.domain.run_lifecycle import take_over
from runstead.ports import Store
from runstead.wire.base import ThreadId
from tests.contract.samples import NOW, a_record, a_thread, change, claimed, ended, thread_with


async def a_held_run(store: Store, owner: str) -> RunRecord:
    thread = a_thread()
    held = claimed(a_record(thread), owner=owner, lease_until=NOW + 6)
    await store.commit(thread_with(thread, held))
    return held


def taking(run: RunRecord, owner: str | None = None, *, lease_until: float = NOW + 6) -> TakeCodeSession:
    """As the run's holder does, or somebody who only says so."""
    return TakeCodeSession(run.run.thread_id, run.run.id, owner or str(run.owner), run.epoch, lease_until)


def taken_over(run: RunRecord, owner: str) -> RunRecord:
    return take_over(run, owner=owner, now=NOW + 7, lease_for=6, alone=False)


async def session_of(store: Store, run: RunRecord) -> CodeSession | None:
    return (await store.find_code_sessions([run.run.thread_id])).get(run.run.thread_id)


async def test_who_holds_a_run_has_its_threads_session(store: Store) -> None:
    run = await a_held_run(store, "node-a")
    assert await session_of(store, run) is None

    await store.commit(change(taking(run)))

    session = await session_of(store, run)
    assert session == CodeSession("node-a", 1, NOW + 6)
    assert session.host(NOW + 6) == "node-a"
    assert session.host(NOW + 6.5) is None


async def test_who_does_not_hold_the_run_gets_nothing(store: Store) -> None:
    run = await a_held_run(store, "node-a")
    await store.commit(change(taking(run)))

    pretenders = [
        taking(run, "node-b"),
        replace(taking(run), epoch=run.epoch - 1),
        replace(taking(run), thread_id=(await a_held_run(store, "node-a")).run.thread_id),
    ]
    for pretender in pretenders:
        with pytest.raises(Stale):
            await store.commit(change(pretender))

    assert await session_of(store, run) == CodeSession("node-a", 1, NOW + 6)


async def test_of_two_who_want_a_session_the_one_gets_it_who_holds_the_run(store: Store) -> None:
    lost = await a_held_run(store, "node-a")
    run = taken_over(lost, "node-b")
    await store.commit(change(ReplaceRun(run, lost)))

    late, rightful = await asyncio.gather(
        store.commit(change(taking(lost))), store.commit(change(taking(run))), return_exceptions=True
    )

    assert isinstance(late, Stale)
    assert rightful is None
    assert await session_of(store, run) == CodeSession("node-b", 1, NOW + 6)


async def test_a_generation_rises_whenever_the_session_is_taken_up(store: Store) -> None:
    run = await a_held_run(store, "node-a")
    await store.commit(change(taking(run)))
    elsewhere = taken_over(run, "node-b")
    await store.commit(change(ReplaceRun(elsewhere, run)))

    # Whose lease of the session has not ended: it is the run's lease that counts.
    await store.commit(change(taking(elsewhere)))
    assert await session_of(store, run) == CodeSession("node-b", 2, NOW + 6)

    back = taken_over(elsewhere, "node-a")
    await store.commit(change(ReplaceRun(back, elsewhere)))
    await store.commit(change(taking(back)))
    await store.commit(change(taking(back, lease_until=NOW + 8)))
    assert await session_of(store, run) == CodeSession("node-a", 4, NOW + 8)


async def test_a_session_that_was_let_go_of_is_nowhere_and_keeps_its_generation(store: Store) -> None:
    run = await a_held_run(store, "node-a")
    thread = run.run.thread_id
    await store.commit(change(taking(run)))
    strangers = (LetGoOfCodeSession(thread, "node-a", 2), LetGoOfCodeSession(thread, "node-b", 1))
    await store.commit(change(*strangers, LetGoOfCodeSession(ThreadId("thread_gone"), "node-a", 1)))
    assert await session_of(store, run) == CodeSession("node-a", 1, NOW + 6)

    await store.commit(change(LetGoOfCodeSession(thread, "node-a", 1)))

    gone = await session_of(store, run)
    assert gone == CodeSession(None, 1, None)
    assert gone.host(NOW) is None
    assert await store.renew_code_sessions("node-a", NOW + 9) == {}
    await store.commit(change(taking(run)))
    assert await session_of(store, run) == CodeSession("node-a", 2, NOW + 6)


async def test_renewing_reaches_what_a_node_has_and_nothing_else(store: Store) -> None:
    mine = [await a_held_run(store, "node-a") for _ in range(3)]
    other = await a_held_run(store, "node-b")
    await store.commit(change(*map(taking, (*mine, other))))
    await store.commit(change(ReplaceRun(ended(mine[0]), mine[0])))
    await store.commit(change(DeleteThread(mine[2].run.thread_id)))

    renewed = await store.renew_code_sessions("node-a", NOW + 9.5)

    # Sessions outlive their runs, and not their threads.
    assert renewed == {run.run.thread_id: 1 for run in mine[:2]}
    threads = [run.run.thread_id for run in (*mine, other)]
    assert await store.find_code_sessions([*threads, ThreadId("thread_\"'%")]) == {
        mine[0].run.thread_id: CodeSession("node-a", 1, NOW + 9.5),
        mine[1].run.thread_id: CodeSession("node-a", 1, NOW + 9.5),
        other.run.thread_id: CodeSession("node-b", 1, NOW + 6),
    }
    assert await store.find_code_sessions([]) == {}
    assert await store.renew_code_sessions("node-c", NOW + 9.5) == {}


async def test_a_renewal_that_comes_late_does_not_shorten_a_lease(store: Store) -> None:
    run = await a_held_run(store, "node-a")
    await store.commit(change(taking(run)))
    await store.renew_code_sessions("node-a", NOW + 12.5)

    assert await store.renew_code_sessions("node-a", NOW + 8) == {run.run.thread_id: 1}

    assert await session_of(store, run) == CodeSession("node-a", 1, NOW + 12.5)


async def test_a_thread_that_is_gone_has_no_session(store: Store) -> None:
    run = await a_held_run(store, "node-a")
    await store.commit(change(taking(run)))
    await store.commit(change(DeleteThread(run.run.thread_id)))

    with pytest.raises(Stale):
        await store.commit(change(taking(run)))

    assert await session_of(store, run) is None
