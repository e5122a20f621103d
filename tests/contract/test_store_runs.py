"""Runs and steps: the thread's lock, the fence of every driver's write, and who may write what."""

import asyncio

import pytest
from msgspec.structs import replace

from runstead.domain.change import (
    InsertRun,
    InsertStep,
    InsertThread,
    ReplaceRun,
    ReplaceStep,
    SetRunMetadata,
    TakeRun,
)
from runstead.domain.errors import NotFound, Stale, ThreadHasActiveRun
from runstead.domain.records import CallNotes
from runstead.ports import PageRequest, Store
from runstead.wire.base import RunId, StepId, ThreadId
from runstead.wire.runs import Usage
from tests.contract.samples import (
    NOW,
    a_record,
    a_step,
    a_thread,
    change,
    claimed,
    ended,
    thread_with,
    with_status,
)

ACTIVE = ("queued", "in_progress", "requires_action", "cancelling")
ENDED = ("cancelled", "failed", "completed", "incomplete", "expired")


async def test_a_record_is_read_back_whole(store: Store) -> None:
    thread = a_thread()
    record = a_record(
        thread,
        "in_progress",
        run={"metadata": {"k": "v"}, "usage": Usage(1, 2, 3)},
        epoch=7,
        owner="node-a",
        lease_until=NOW + 0.125,
        claimed_at=NOW + 0.5,
        model_calls=3,
        usage=Usage(10, 20, 30),
        lost_leases=2,
        reasoning_effort="low",
        usage_estimated=True,
    )
    step = a_step(record)

    await store.commit(thread_with(thread, record))
    await store.commit(change(InsertStep(step)))

    assert await store.get_run(thread.id, record.run.id) == record
    assert await store.find_run(record.run.id) == record
    assert await store.find_active_run(thread.id) == record
    assert (await store.page_runs(thread.id, PageRequest())).items == [record.run]
    assert await store.list_steps(record.run.id) == [step]
    assert await store.get_step(thread.id, record.run.id, step.step.id) == step.step
    assert (await store.page_steps(thread.id, record.run.id, PageRequest())).items == [step.step]


async def test_what_is_not_there_is_not_found(store: Store) -> None:
    thread, other = a_thread(), a_thread()
    record = a_record(thread)
    step = a_step(record)
    await store.commit(thread_with(thread, record))
    await store.commit(change(InsertThread(other), InsertStep(step)))
    no_thread, no_run, no_step = ThreadId("thread_x"), RunId("run_x"), StepId("step_x")

    assert await store.find_run(no_run) is None
    assert await store.find_active_run(other.id) is None
    assert await store.find_active_run(no_thread) is None
    assert await store.list_steps(no_run) == []
    for asked in (
        store.get_run(no_thread, record.run.id),
        store.page_runs(no_thread, PageRequest()),
        store.get_step(no_thread, record.run.id, step.step.id),
        store.page_steps(no_thread, record.run.id, PageRequest()),
    ):
        with pytest.raises(NotFound, match="No thread found with id 'thread_x'"):
            await asked
    for asked in (
        store.get_run(thread.id, no_run),
        store.get_step(thread.id, no_run, step.step.id),
        store.page_steps(thread.id, no_run, PageRequest()),
    ):
        with pytest.raises(NotFound, match="No run found with id 'run_x'"):
            await asked
    for asked in (
        store.get_run(other.id, record.run.id),
        store.get_step(other.id, record.run.id, step.step.id),
        store.page_steps(other.id, record.run.id, PageRequest()),
    ):
        with pytest.raises(NotFound, match=f"No run found with id '{record.run.id}'"):
            await asked
    with pytest.raises(NotFound, match="No run step found with id 'step_x'"):
        await store.get_step(thread.id, record.run.id, no_step)


async def test_a_run_needs_its_thread(store: Store) -> None:
    with pytest.raises(NotFound, match="No thread found with id 'thread_x'"):
        await store.commit(change(InsertRun(a_record(a_thread(id="thread_x")))))


@pytest.mark.parametrize("status", ACTIVE)
async def test_a_thread_has_one_active_run(store: Store, status) -> None:
    thread = a_thread()
    record = a_record(thread, status)
    await store.commit(thread_with(thread, record))

    with pytest.raises(ThreadHasActiveRun, match=f"Thread {thread.id} already has an active run {record.run.id}."):
        await store.commit(change(InsertRun(a_record(thread))))


@pytest.mark.parametrize("status", ENDED)
async def test_an_ended_run_leaves_its_thread_free(store: Store, status) -> None:
    thread = a_thread()
    record = a_record(thread)
    await store.commit(thread_with(thread, record))

    await store.commit(change(ReplaceRun(ended(record, status), record), InsertRun(a_record(thread))))

    assert [run.status for run in (await store.page_runs(thread.id, PageRequest())).items] == ["queued", status]


async def test_a_taken_run_id_is_stale(store: Store) -> None:
    thread, other = a_thread(), a_thread()
    record = a_record(thread)
    await store.commit(thread_with(thread, record))

    with pytest.raises(Stale):
        await store.commit(change(InsertRun(record)))
    with pytest.raises(Stale):
        await store.commit(change(InsertThread(other), InsertRun(a_record(other, run={"id": record.run.id}))))


async def test_one_refused_change_does_not_touch_the_others_of_its_moment(store: Store) -> None:
    threads = [a_thread() for _ in range(5)]
    doomed = a_record(threads[2])
    changes = [thread_with(thread, a_record(thread)) for thread in threads]
    changes[2] = thread_with(threads[2], doomed, a_record(threads[2]))

    outcomes = await asyncio.gather(*map(store.commit, changes), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [type(None)] * 2 + [ThreadHasActiveRun] + [type(None)] * 2
    assert await store.find_run(doomed.run.id) is None
    for thread in (*threads[:2], *threads[3:]):
        assert await store.find_active_run(thread.id) is not None
    with pytest.raises(NotFound):
        await store.get_thread(threads[2].id)


async def test_of_two_runs_on_one_thread_at_one_moment_the_first_wins(store: Store) -> None:
    thread = a_thread()
    first, second = a_record(thread), a_record(thread)
    await store.commit(change(InsertThread(thread)))

    outcomes = await asyncio.gather(
        store.commit(change(InsertRun(first))), store.commit(change(InsertRun(second))), return_exceptions=True
    )

    assert outcomes[0] is None
    assert isinstance(outcomes[1], ThreadHasActiveRun)
    assert first.run.id in str(outcomes[1])
    assert await store.find_run(second.run.id) is None


async def test_a_driver_that_lost_its_claim_writes_nothing(store: Store) -> None:
    thread = a_thread()
    queued = a_record(thread)
    await store.commit(thread_with(thread, queued))
    mine = claimed(queued)
    await store.commit(change(TakeRun(mine, queued)))
    theirs = claimed(mine, owner="node-b")
    await store.commit(change(TakeRun(theirs, mine)))

    with pytest.raises(Stale, match=queued.run.id):
        await store.commit(change(InsertStep(a_step(mine)), ReplaceRun(ended(mine), mine)))

    assert await store.list_steps(queued.run.id) == []
    assert await store.get_run(thread.id, queued.run.id) == theirs


@pytest.mark.parametrize("lost", [{"status": "cancelling"}, {"owner": "node-b"}, {"owner": None}, {"epoch": 9}])
async def test_the_fence_looks_at_status_owner_and_epoch(store: Store, lost) -> None:
    thread = a_thread()
    stored = claimed(a_record(thread))
    await store.commit(thread_with(thread, stored))
    was = with_status(stored, **({"status": "in_progress"} | lost))

    for write in (ReplaceRun(ended(stored), was), TakeRun(ended(stored), was)):
        with pytest.raises(Stale):
            await store.commit(change(write))

    assert await store.find_run(stored.run.id) == stored


async def test_a_replaced_run_has_everything_of_the_new_one(store: Store) -> None:
    thread = a_thread()
    queued = a_record(thread)
    await store.commit(thread_with(thread, queued))
    later = replace(
        claimed(queued), deadline=NOW + 900, model_calls=2, usage=Usage(1, 1, 2), lost_leases=1, usage_estimated=True
    )

    await store.commit(change(ReplaceRun(later, queued)))

    assert await store.find_run(queued.run.id) == later


async def test_metadata_set_while_a_driver_works_stays(store: Store) -> None:
    thread = a_thread()
    held = claimed(a_record(thread, run={"metadata": {"old": "1"}}))
    await store.commit(thread_with(thread, held))

    await store.commit(change(SetRunMetadata(thread.id, held.run.id, {"new": "2"})))
    await store.commit(change(ReplaceRun(ended(held), held)))

    run = (await store.get_run(thread.id, held.run.id)).run
    assert (run.status, run.metadata) == ("completed", {"new": "2"})
    assert (await store.page_runs(thread.id, PageRequest())).items == [run]


async def test_metadata_can_be_emptied(store: Store) -> None:
    thread = a_thread()
    record = a_record(thread, run={"metadata": {"old": "1"}})
    await store.commit(thread_with(thread, record))

    await store.commit(change(SetRunMetadata(thread.id, record.run.id, {})))

    assert (await store.get_run(thread.id, record.run.id)).run.metadata == {}


async def test_metadata_is_for_a_run_of_that_thread(store: Store) -> None:
    thread, other = a_thread(), a_thread()
    record = a_record(thread)
    await store.commit(thread_with(thread, record))
    await store.commit(change(InsertThread(other)))

    with pytest.raises(NotFound, match="No run found"):
        await store.commit(change(SetRunMetadata(other.id, record.run.id, {"k": "v"})))


async def test_a_replaced_step_keeps_its_place(store: Store) -> None:
    thread = a_thread()
    record = claimed(a_record(thread))
    first, second = a_step(record, status="in_progress"), a_step(record)
    await store.commit(thread_with(thread, record))
    await store.commit(change(InsertStep(first), InsertStep(second)))
    done = replace(first, step=replace(first.step, status="completed"), call_usage=None, left_out=9)

    await store.commit(change(ReplaceStep(done, was=first)))

    assert await store.list_steps(record.run.id) == [done, second]


async def test_a_step_needs_its_run_and_a_replaced_step_its_row(store: Store) -> None:
    record = a_record(a_thread())
    step = a_step(record)

    with pytest.raises(NotFound, match=f"No run found with id '{record.run.id}'"):
        await store.commit(change(InsertStep(step)))
    with pytest.raises(Stale):
        await store.commit(change(ReplaceStep(step, was=step)))


async def test_what_is_known_of_built_in_calls_is_kept_beside_their_step(store: Store) -> None:
    thread = a_thread()
    record = replace(claimed(a_record(thread)), has_open_calls=True)
    notes = {
        "call_1": CallNotes(),
        "call_2": CallNotes(is_done=True, query="q", number=3, error="Error: no.", files={"dir/a b.csv": "file-1"}),
    }
    step = replace(a_step(record), notes=notes)
    await store.commit(change(InsertThread(thread), InsertRun(record), InsertStep(step)))

    assert await store.find_run(record.run.id) == record
    assert await store.list_steps(record.run.id) == [step]
    snapshot = await store.snapshot(record.run.id, 1_000_000)
    assert snapshot is not None
    assert snapshot.steps == [step]
