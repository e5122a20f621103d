"""What a run's driver is given to decide by."""

from runstead.domain.change import DeleteThread, InsertMessage, InsertRun, InsertStep
from runstead.ports import Store
from runstead.store.rows import encode
from runstead.wire.base import RunId
from tests.contract.samples import (
    a_call_step,
    a_message,
    a_record,
    a_step,
    a_thread,
    change,
    claimed,
    ended,
    thread_with,
)

PLENTY = 1_000_000


async def test_a_snapshot_has_the_run_its_steps_and_the_messages_oldest_first(store: Store) -> None:
    thread = a_thread()
    record = claimed(a_record(thread, run={"metadata": {"k": "v"}}))
    messages = [a_message(thread, str(n)) for n in range(4)]
    steps = [a_step(record), a_call_step(record)]
    await store.commit(thread_with(thread, record))
    await store.commit(change(*map(InsertMessage, messages), *map(InsertStep, steps)))

    snapshot = await store.snapshot(record.run.id, PLENTY)

    assert snapshot is not None
    assert snapshot.record == record
    assert snapshot.steps == steps
    assert snapshot.messages == messages
    assert snapshot.older == 0
    assert snapshot.earlier_steps == []


async def test_a_run_that_is_gone_has_none(store: Store) -> None:
    thread = a_thread()
    record = a_record(thread)
    await store.commit(thread_with(thread, record))
    await store.commit(change(DeleteThread(thread.id)))

    assert await store.snapshot(record.run.id, PLENTY) is None
    assert await store.snapshot(RunId("run_x"), PLENTY) is None


async def test_an_empty_thread_has_no_messages(store: Store) -> None:
    thread = a_thread()
    record = a_record(thread)
    await store.commit(thread_with(thread, record))

    snapshot = await store.snapshot(record.run.id, PLENTY)

    assert snapshot is not None
    assert (snapshot.messages, snapshot.older, snapshot.steps) == ([], 0, [])


async def test_the_newest_messages_that_fit_are_read_and_the_others_counted(store: Store) -> None:
    thread, other = a_thread(), a_thread()
    record = a_record(thread)
    messages = [a_message(thread, f"message {n}") for n in range(6)]
    size = len(encode(messages[0]))
    await store.commit(thread_with(thread, record))
    await store.commit(thread_with(other))
    for message in messages:
        await store.commit(change(InsertMessage(message), InsertMessage(a_message(other))))

    for max_bytes, fit in ((3 * size, 3), (3 * size - 1, 2), (size, 1), (0, 1), (6 * size, 6)):
        snapshot = await store.snapshot(record.run.id, max_bytes)
        assert snapshot is not None
        assert snapshot.messages == messages[-fit:]
        assert snapshot.older == 6 - fit


async def test_earlier_steps_are_those_of_the_threads_other_runs_that_called_something(store: Store) -> None:
    thread, other = a_thread(), a_thread()
    first, second, stranger = ended(a_record(thread)), ended(a_record(thread)), ended(a_record(other))
    silent, current = ended(a_record(thread)), claimed(a_record(thread))
    kept = [
        a_call_step(first, "a"),
        a_step(first),
        a_call_step(second, "b"),
        a_step(second, status="cancelled"),
        a_call_step(second, "c"),
    ]
    await store.commit(thread_with(thread, first, second, silent))
    await store.commit(thread_with(other, stranger))
    await store.commit(
        change(
            InsertRun(current),
            InsertStep(kept[0]),
            InsertStep(kept[1]),
            InsertStep(a_call_step(first, status="failed")),
            InsertStep(a_step(silent)),
            InsertStep(kept[2]),
            InsertStep(a_call_step(stranger)),
            InsertStep(kept[3]),
            InsertStep(kept[4]),
            InsertStep(a_call_step(current)),
        )
    )
    last_two = sum(len(encode(record.step)) for record in kept[-2:])

    for max_bytes, fit in ((PLENTY, 5), (last_two, 2), (0, 1)):
        snapshot = await store.snapshot(current.run.id, max_bytes)
        assert snapshot is not None
        assert snapshot.earlier_steps == kept[-fit:]
