"""Several stores on one PostgreSQL: who is first, who is told so, and what the time is."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from runstead.domain.change import (
    AddMessage,
    DeleteThread,
    InsertAssistant,
    InsertMessage,
    InsertRun,
    InsertStep,
    InsertThread,
    ReplaceAssistant,
    ReplaceRun,
    ReplaceThread,
    SetRunMetadata,
    TakeRun,
)
from runstead.domain.errors import NotFound, Stale, ThreadHasActiveRun, ThreadLocked
from runstead.ports import PageRequest
from runstead.store import postgres_dialect, statements
from runstead.store.postgres import PostgresStore
from runstead.store.postgres_snapshot import READ_SNAPSHOT
from tests.contract.conftest import emptied
from tests.contract.postgres_server import PostgresServer
from tests.contract.samples import (
    SetClock,
    a_message,
    a_record,
    a_step,
    a_thread,
    an_assistant,
    change,
    claimed,
    ended,
    thread_with,
)


@pytest.fixture
async def nodes(postgres: PostgresServer) -> AsyncIterator[tuple[PostgresStore, PostgresStore]]:
    clock = SetClock()
    one = await emptied(postgres, clock)
    two = await PostgresStore.open(postgres.url("runstead"), clock)
    yield one, two
    await one.close()
    await two.close()


async def outcomes_of(*asked):
    return await asyncio.gather(*asked, return_exceptions=True)


async def test_of_two_nodes_that_claim_a_run_one_gets_it(nodes) -> None:
    one, two = nodes
    queued = [a_record(a_thread()) for _ in range(100)]
    await asyncio.gather(*(one.commit(thread_with(a_thread(id=run.run.thread_id), run)) for run in queued))

    def claims(store: PostgresStore, owner: str):
        return [store.commit(change(TakeRun(claimed(run, owner=owner), run))) for run in queued]

    ours, theirs = await asyncio.gather(outcomes_of(*claims(one, "one")), outcomes_of(*claims(two, "two")))

    for run, mine, yours in zip(queued, ours, theirs, strict=True):
        assert {type(mine), type(yours)} == {type(None), Stale}
        held = await two.find_run(run.run.id)
        assert held is not None
        assert held.owner == ("one" if mine is None else "two")


async def test_of_two_nodes_that_start_a_run_on_a_thread_one_does_and_the_other_is_told_which(nodes) -> None:
    one, two = nodes
    for _ in range(60):
        thread = a_thread()
        await one.commit(change(InsertThread(thread)))
        first, second = a_record(thread), a_record(thread)

        outcomes = await outcomes_of(one.commit(change(InsertRun(first))), two.commit(change(InsertRun(second))))

        assert {type(outcome) for outcome in outcomes} == {type(None), ThreadHasActiveRun}
        winner = first if outcomes[0] is None else second
        assert any(winner.run.id in str(outcome) for outcome in outcomes)


async def test_no_message_slips_in_behind_a_run(nodes, postgres) -> None:
    one, two = nodes
    slipped_in: list[str] = []
    witness = await asyncpg.connect(postgres.url("runstead"))
    for turn in range(200):
        thread = a_thread()
        await one.commit(change(InsertThread(thread)))
        message, record = a_message(thread), a_record(thread)
        starting, adding = (one, two) if turn % 2 else (two, one)

        added, started = await outcomes_of(
            adding.commit(change(AddMessage(message))), starting.commit(change(InsertRun(record)))
        )

        assert started is None
        if isinstance(added, ThreadLocked):
            assert record.run.id in str(added)
        else:
            assert added is None
            slipped_in.append(message.id)
    # What was let in was committed before its thread's run was.
    late = await witness.fetch(
        """SELECT messages.id FROM messages JOIN runs USING (thread_id)
            WHERE pg_xact_commit_timestamp(messages.xmin) > pg_xact_commit_timestamp(runs.xmin)"""
    )
    await witness.close()
    assert late == []
    assert len(slipped_in) < 200, "never refused: nothing raced"


async def test_nodes_that_write_in_each_others_threads_never_wait_in_a_circle(nodes, postgres) -> None:
    one, two = nodes
    threads = [a_thread() for _ in range(12)]
    held = [claimed(a_record(thread), owner=f"node-{n % 2}") for n, thread in enumerate(threads)]
    await asyncio.gather(*(one.commit(thread_with(t, r)) for t, r in zip(threads, held, strict=True)))
    witness = await asyncpg.connect(postgres.url("runstead"))

    async def write(store: PostgresStore, order: int) -> None:
        for _ in range(25):
            both = list(zip(threads, held, strict=True))[::order]
            await asyncio.gather(
                *(store.commit(change(InsertStep(a_step(r)), InsertMessage(a_message(t)))) for t, r in both),
                *(store.commit(change(SetRunMetadata(t.id, r.run.id, {"k": str(order)}))) for t, r in both),
                store.renew("node-0", 1e10),
                store.renew("node-1", 1e10),
                *(store.commit(change(ReplaceRun(r, r))) for _, r in both),
            )

    await asyncio.gather(write(one, 1), write(two, -1))

    deadlocks = await witness.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = 'runstead'")
    await witness.close()
    assert deadlocks == 0
    assert len((await two.page_steps(threads[0].id, held[0].run.id, PageRequest(100))).items) == 50


async def test_changes_that_do_collide_are_tried_again(nodes) -> None:
    # Assistants are the one thing that is not locked in order: they are rarely written and never together.
    one, two = nodes
    assistants = [an_assistant() for _ in range(8)]
    await one.commit(change(*map(InsertAssistant, assistants)))

    async def write(store: PostgresStore, order: int) -> None:
        for _ in range(20):
            same = [ReplaceAssistant(assistant, assistant) for assistant in assistants[::order]]
            await store.commit(change(*same))

    await asyncio.gather(write(one, 1), write(two, -1))


async def test_a_thread_removed_elsewhere_is_not_found_or_goes_with_what_came(nodes) -> None:
    one, two = nodes
    for _ in range(60):
        thread = a_thread()
        record = claimed(a_record(thread))
        await one.commit(thread_with(thread, record))

        deleted, finished, begun = await outcomes_of(
            one.commit(change(DeleteThread(thread.id))),
            two.commit(change(InsertMessage(a_message(thread)), ReplaceRun(ended(record), record))),
            two.commit(change(InsertRun(a_record(thread)))),
        )

        assert deleted is None
        assert isinstance(finished, NotFound | None)
        assert isinstance(begun, NotFound | ThreadHasActiveRun | None)
        assert await two.find_run(record.run.id) is None


async def test_what_another_release_wrote_in_other_bytes_is_replaced(nodes, postgres) -> None:
    one, _ = nodes
    thread = a_thread(metadata={"a": "1"})
    await one.commit(change(InsertThread(thread)))
    await one.all_rows("UPDATE threads SET body = replace(body, ':', ' : ') WHERE id = :id", {"id": thread.id})

    marked = a_thread(id=thread.id, metadata={"a": "2"})
    await one.commit(change(ReplaceThread(marked, thread)))

    assert await one.get_thread(thread.id) == marked
    with pytest.raises(Stale):
        await one.commit(change(ReplaceThread(thread, thread)))


async def test_every_node_tells_the_databases_time(nodes, postgres) -> None:
    stores = [await PostgresStore.open(postgres.url("runstead")) for _ in range(2)]
    for store in stores:
        await store.commit(change(InsertThread(a_thread())))

    told = [store.clock.now() for store in stores]
    true = float(postgres.sql("SELECT extract(epoch FROM clock_timestamp())"))

    assert max(told) - min(told) < 0.05
    assert abs(true - told[0]) < 1.0
    for store in stores:
        await store.close()


ASKED_OFTEN = {
    "due": statements.DUE_RUNS,
    "next deadline": statements.NEXT_DEADLINE,
    "renew": postgres_dialect.RENEW_LEASES,
    "active run": statements.FIND_ACTIVE_RUN,
    "run": statements.GET_RUN,
    "snapshot": READ_SNAPSHOT,
    "messages": statements.MESSAGES.desc,
    "messages of a run": statements.MESSAGES_OF_RUN.asc,
    "runs": statements.RUNS.desc,
    "run steps": statements.STEPS.asc,
    "threads": statements.THREADS.desc,
}


@pytest.mark.parametrize("name", ASKED_OFTEN)
async def test_no_table_is_read_from_end_to_end(nodes, postgres, name) -> None:
    sql, names = postgres_dialect.asked_alone(ASKED_OFTEN[name])
    some = {"limit": 3, "seq": 1, "above": 0, "below": 9, "max_bytes": 9, "now": 1.0, "waiting_since": 1.0}
    witness = await asyncpg.connect(postgres.url("runstead"))
    await witness.execute("SET enable_seqscan = off")

    values = [some.get(name, 1.0 if "lease" in name else "x") for name in names]
    plan = [row[0] for row in await witness.fetch(f"EXPLAIN {sql}", *values)]

    await witness.close()
    assert [line for line in plan if "Seq Scan" in line] == [], "\n".join(plan)
