"""Leases: prolonged, taken over, and what is due once nobody holds one."""

import asyncio
from typing import get_args

import pytest
from msgspec.structs import replace

from runstead.domain.change import ReplaceRun, TakeRun
from runstead.domain.errors import Stale
from runstead.domain.run_lifecycle import release
from runstead.ports import Store
from runstead.wire.base import RunId
from runstead.wire.runs import RunStatus
from tests.contract.samples import (
    NOW,
    SetClock,
    a_record,
    a_thread,
    change,
    claimed,
    ended,
    thread_with,
    with_status,
)

ENDED: tuple[RunStatus, ...] = ("cancelled", "failed", "completed", "incomplete", "expired")


async def test_a_run_whose_lease_was_renewed_is_not_taken(store: Store) -> None:
    thread = a_thread()
    held = claimed(a_record(thread), owner="node-a", lease_until=NOW + 6)
    await store.commit(thread_with(thread, held))
    await store.renew("node-a", NOW + 8.25)

    with pytest.raises(Stale):
        await store.commit(change(TakeRun(claimed(held, owner="node-b"), held)))

    # The holder's own writes do not mind: the lease is longer, not another's.
    await store.commit(change(ReplaceRun(ended(held), held)))


async def test_a_renewal_that_comes_late_does_not_shorten_a_lease(store: Store) -> None:
    thread = a_thread()
    held = claimed(a_record(thread), owner="node-a", lease_until=NOW + 6)
    await store.commit(thread_with(thread, held))

    await store.renew("node-a", NOW + 12.5)
    late = await store.renew("node-a", NOW + 8)

    assert late == {held.run.id: (held.epoch, "in_progress")}
    assert await store.find_run(held.run.id) == replace(held, lease_until=NOW + 12.5)


async def test_a_holders_write_does_not_shorten_the_lease_that_was_renewed_meanwhile(store: Store) -> None:
    thread = a_thread()
    held = claimed(a_record(thread), owner="node-a", lease_until=NOW + 6)
    await store.commit(thread_with(thread, held))
    await store.renew("node-a", NOW + 12.5)

    await store.commit(change(ReplaceRun(replace(held, model_calls=1), held)))

    stored = await store.find_run(held.run.id)
    assert stored == replace(held, model_calls=1, lease_until=stored.lease_until)
    assert stored.lease_until == pytest.approx(NOW + 12.5, abs=0.01)


async def test_who_judged_a_run_before_its_holder_wrote_takes_nothing(store: Store) -> None:
    thread = a_thread()
    held = claimed(a_record(thread), owner="node-a", lease_until=NOW + 6)
    await store.commit(thread_with(thread, held))
    await store.commit(change(ReplaceRun(replace(held, model_calls=1), held)))

    with pytest.raises(Stale):
        await store.commit(change(TakeRun(with_status(held, "cancelling"), held)))

    read = await store.get_run(thread.id, held.run.id)
    await store.commit(change(TakeRun(with_status(read, "cancelling"), read)))
    assert (await store.get_run(thread.id, held.run.id)).model_calls == 1


async def test_a_lease_that_is_given_back_ends_at_once(store: Store) -> None:
    thread = a_thread()
    held = claimed(a_record(thread), owner="node-a", lease_until=NOW + 6)
    await store.commit(thread_with(thread, held))

    await store.commit(change(ReplaceRun(release(held), held)))

    assert await store.due(NOW, 0, 10) == [release(held)]


async def test_a_renewal_is_not_undone_by_who_takes_at_the_same_moment(store: Store) -> None:
    thread = a_thread()
    held = claimed(a_record(thread), owner="node-a", lease_until=NOW + 6)
    await store.commit(thread_with(thread, held))

    renewed, taken = await asyncio.gather(
        store.renew("node-a", NOW + 8),
        store.commit(change(TakeRun(claimed(held, owner="node-b"), held))),
        return_exceptions=True,
    )

    assert renewed == {held.run.id: (held.epoch, "in_progress")}
    assert isinstance(taken, Stale)


async def test_a_run_whose_lease_stands_as_read_is_taken(store: Store) -> None:
    thread = a_thread()
    held = claimed(a_record(thread), lease_until=NOW + 1 / 3)
    await store.commit(thread_with(thread, held))
    read = await store.get_run(thread.id, held.run.id)
    taken = claimed(read, owner="node-b")

    await store.commit(change(TakeRun(taken, read)))

    assert await store.find_run(held.run.id) == taken


async def test_renewing_reaches_what_an_owner_holds_and_nothing_else(store: Store) -> None:
    def held(status, owner):
        return with_status(a_record(a_thread()), status, owner=owner, epoch=4, lease_until=NOW + 6.0)

    mine = [held("in_progress", "node-a"), held("cancelling", "node-a")]
    others = [
        held("in_progress", "node-b"),
        held("completed", "node-a"),
        with_status(a_record(a_thread()), "requires_action"),
        a_record(a_thread()),
    ]
    for record in (*mine, *others):
        await store.commit(thread_with(a_thread(id=record.run.thread_id), record))

    renewed = await store.renew("node-a", NOW + 9.5)

    assert renewed == {mine[0].run.id: (4, "in_progress"), mine[1].run.id: (4, "cancelling")}
    for record in mine:
        assert await store.find_run(record.run.id) == replace(record, lease_until=NOW + 9.5)
    for record in others:
        assert await store.find_run(record.run.id) == record
    assert await store.renew("node-c", NOW + 9.5) == {}


async def test_a_queued_run_is_due_once_it_has_waited(store: Store, clock: SetClock) -> None:
    thread = a_thread()
    record = a_record(thread)
    await store.commit(thread_with(thread, record))

    assert await store.due(NOW, NOW, 10) == []
    assert await store.due(NOW, NOW + 0.5, 10) == [record]


async def test_a_requeued_run_waits_anew_and_a_rewritten_one_does_not(store: Store, clock: SetClock) -> None:
    thread = a_thread()
    waiting = with_status(a_record(thread), "requires_action")
    await store.commit(thread_with(thread, waiting))
    clock.time = NOW + 100
    requeued = with_status(waiting, "queued", epoch=2)
    await store.commit(change(ReplaceRun(requeued, waiting)))
    clock.time = NOW + 200
    rewritten = replace(requeued, epoch=3)
    await store.commit(change(ReplaceRun(rewritten, requeued)))

    assert await store.due(NOW, NOW + 100, 10) == []
    assert await store.due(NOW, NOW + 101, 10) == [rewritten]


@pytest.mark.parametrize("status", ["in_progress", "cancelling"])
async def test_a_run_is_due_when_its_lease_has_ended(store: Store, status) -> None:
    thread = a_thread()
    record = with_status(claimed(a_record(thread), lease_until=NOW + 6.0), status)
    await store.commit(thread_with(thread, record))

    assert await store.due(NOW + 5.9, 0, 10) == []
    assert await store.due(NOW + 6.1, 0, 10) == [record]


@pytest.mark.parametrize("status", ["queued", "requires_action"])
async def test_a_run_is_due_when_its_deadline_has_passed(store: Store, status) -> None:
    thread = a_thread()
    record = a_record(thread, status, deadline=NOW + 600)
    await store.commit(thread_with(thread, record))

    assert await store.due(NOW + 599.9, 0, 10) == []
    assert await store.due(NOW + 600, 0, 10) == [record]


async def test_the_deadline_of_a_run_under_a_live_lease_is_its_drivers_business(store: Store) -> None:
    thread = a_thread()
    record = claimed(a_record(thread, deadline=NOW + 600), lease_until=NOW + 602.0)
    await store.commit(thread_with(thread, record))

    assert await store.due(NOW + 601, 0, 10) == []
    assert await store.due(NOW + 602.5, 0, 10) == [record]


async def test_an_ended_run_is_never_due(store: Store) -> None:
    for status in ENDED:
        thread = a_thread()
        await store.commit(thread_with(thread, with_status(claimed(a_record(thread)), status)))

    assert await store.due(float("inf"), float("inf"), 10) == []
    assert await store.next_deadline() is None


async def test_what_is_due_comes_oldest_first_once_and_limited(store: Store) -> None:
    records = [claimed(a_record(a_thread()), lease_until=NOW + 6 - n) for n in range(3)]
    records.insert(1, a_record(a_thread()))
    for record in records:
        await store.commit(thread_with(a_thread(id=record.run.thread_id), record))

    assert await store.due(NOW + 1000, NOW + 1000, 10) == records
    assert await store.due(NOW + 1000, NOW + 1000, 2) == records[:2]


async def test_the_next_deadline_is_the_earliest_of_the_runs_that_go_on(store: Store) -> None:
    assert await store.next_deadline() is None
    deadlines: dict[RunStatus, int] = {"completed": 1, "requires_action": 700, "in_progress": 650, "queued": 900}
    for status, deadline in deadlines.items():
        thread = a_thread()
        await store.commit(thread_with(thread, a_record(thread, status, deadline=NOW + deadline)))

    assert await store.next_deadline() == NOW + 650


async def test_runs_are_under_way_until_they_rest_or_are_gone(store: Store) -> None:
    statuses: tuple[RunStatus, ...] = get_args(RunStatus)
    records = {}
    for status in statuses:
        thread = a_thread()
        records[status] = with_status(a_record(thread), status)
        await store.commit(thread_with(thread, records[status]))
    asked = [record.run.id for record in records.values()]

    under_way = await store.runs_under_way([*asked, RunId("run_gone"), RunId("run_\"'%")])

    assert under_way == {records[status].run.id for status in ("queued", "in_progress", "cancelling")}
    assert await store.runs_under_way(asked[:1]) == {asked[0]} & under_way
    assert await store.runs_under_way([]) == set()
