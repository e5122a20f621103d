"""The simulator's model of a store does what the stores do: the same changes, the same refusals, the same answers."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from runstead.domain.change import (
    AddMessage,
    Change,
    DeleteThread,
    InsertMessage,
    InsertRun,
    InsertStep,
    InsertThread,
    ReplaceRun,
    ReplaceStep,
    SetRunMetadata,
    TakeRun,
    Write,
)
from runstead.domain.code_sessions import LetGoOfCodeSession, TakeCodeSession
from runstead.domain.errors import RunsteadError
from runstead.domain.records import RunRecord, StepRecord
from runstead.ports import Store
from runstead.wire.base import RunId
from runstead.wire.messages import Message
from runstead.wire.runs import RunStatus
from runstead.wire.threads import Thread
from tests.contract.samples import NOW, SetClock, a_message, a_record, a_step, a_thread
from tests.simulation.database import Database

STATUSES: tuple[RunStatus, ...] = ("queued", "in_progress", "in_progress", "requires_action", "cancelling", "completed")
NODES = ("node-a", "node-b")
OWNERS = (*NODES, None)


class Story:
    """Changes that are often right and often not: made from what was stored a while ago."""

    def __init__(self, seed: int) -> None:
        self._rng = rng = Random(seed)
        self._choice: Callable[[Any], Any] = rng.choice
        self.threads = [a_thread() for _ in range(2)]
        self.runs = [a_record(self._choice(self.threads)) for _ in range(4)]
        self.steps = [a_step(self._choice(self.runs), status="in_progress") for _ in range(3)]
        self.messages = [a_message(self._choice(self.threads)) for _ in range(3)]
        self.beginning = Change(writes=tuple(map(InsertThread, self.threads)))
        self.readings: dict[RunId, list[RunRecord]] = {record.run.id: [record] for record in self.runs}
        """What somebody may still believe of a run."""

    def change(self) -> Change:
        return Change(writes=tuple(self._write() for _ in range(self._choice((1, 1, 2, 3)))))

    def _write(self) -> Write:
        thread: Thread = self._choice(self.threads)
        record: RunRecord = self._choice(self.runs)
        step: StepRecord = self._choice(self.steps)
        message: Message = self._choice(self.messages)
        was = self._believed(record)
        writes: tuple[Write, ...] = (
            InsertThread(thread),
            InsertRun(self._changed(record)),
            InsertRun(record),
            ReplaceRun(self._changed(was), was),
            ReplaceRun(self._changed(was), was),
            TakeRun(self._changed(was), was),
            TakeRun(self._changed(was), was),
            InsertStep(step),
            ReplaceStep(
                replace(step, left_out=1, step=replace(step.step, status=self._choice(("in_progress", "completed")))),
                was=replace(step, left_out=self._choice((0, 0, 1))),
            ),
            InsertMessage(message),
            AddMessage(message),
            self._taking(was),
            self._taking(was),
            LetGoOfCodeSession(thread.id, self._choice(NODES), self._choice((1, 2, 3))),
            SetRunMetadata(thread.id, record.run.id, {"k": self._choice("abc")}),
            DeleteThread(thread.id) if self._rng.random() < 0.1 else InsertRun(record),
        )
        return self._choice(writes)

    def _taking(self, was: RunRecord) -> TakeCodeSession:
        owner, epoch = self._choice((was.owner or "node-a", *NODES)), was.epoch + self._choice((0, 0, 0, 1))
        until = NOW + 6.5 * self._rng.random()
        return TakeCodeSession(was.run.thread_id, was.run.id, owner, epoch, until)

    def _believed(self, record: RunRecord) -> RunRecord:
        readings = self.readings[record.run.id]
        return readings[-1] if self._rng.random() < 0.7 else self._choice(readings)

    def _changed(self, was: RunRecord) -> RunRecord:
        owner = self._choice((was.owner, *OWNERS))
        return replace(
            was,
            # Nobody asks for a way back from an end.
            run=replace(was.run, status="completed" if was.run.status == "completed" else self._choice(STATUSES)),
            epoch=was.epoch + self._choice((0, 0, 1)),
            owner=owner,
            lease_until=self._choice((was.lease_until, None, NOW + 6.5 * self._rng.random())),
            model_calls=was.model_calls + self._choice((0, 1)),
        )

    def read(self, stored: list[RunRecord | None]) -> None:
        for record in stored:
            if record is not None:
                self.readings[record.run.id].append(record)


async def outcome(act: Any) -> str:
    try:
        return f"{await act}"
    except RunsteadError as refusal:
        return f"{type(refusal).__name__}: {refusal}"


def said_by_model(act: Callable[[], object]) -> str:
    try:
        return f"{act()}"
    except RunsteadError as refusal:
        return f"{type(refusal).__name__}: {refusal}"


@pytest.mark.parametrize("seed", range(12))
async def test_the_model_and_the_store_say_the_same(store: Store, clock: SetClock, seed: int) -> None:
    story, model, rng = Story(seed), Database(), Random(seed)
    run_ids = [record.run.id for record in story.runs]
    refusals = 0
    for step in range(60):
        clock.time += rng.choice((0.0, 0.5, 2.0))
        change = story.change() if step else story.beginning
        expected = said_by_model(partial(model.commit, change, clock.time))
        assert await outcome(store.commit(change)) == expected, change
        refusals += expected != "None"
        if rng.random() < 0.2:
            owner, until = rng.choice(NODES), NOW + 8.0 * rng.random()
            held = await store.renew(owner, until)
            assert held == model.renew(owner, until)
            assert await store.renew_code_sessions(owner, until) == model.renew_code_sessions(owner, until)
        stored = [await store.find_run(id) for id in run_ids]
        assert stored == [model.find_run(id) for id in run_ids]
        story.read(stored)
        await compare(store, model, story, now=NOW + 8.0 * rng.random(), waiting_since=clock.time - rng.random())
    assert 5 < refusals < 58


async def compare(store: Store, model: Database, story: Story, *, now: float, waiting_since: float) -> None:
    assert await store.due(now, waiting_since, 3) == model.due(now, waiting_since, 3)
    assert await store.due(now + 1_000, waiting_since, 10) == model.due(now + 1_000, waiting_since, 10)
    assert await store.next_deadline() == model.next_deadline()
    threads = [thread.id for thread in story.threads]
    assert await store.find_code_sessions(threads) == model.find_code_sessions(threads)
    for thread in story.threads:
        assert await store.find_active_run(thread.id) == model.find_active_run(thread.id)
    for record in story.runs:
        assert await store.list_steps(record.run.id) == model.list_steps(record.run.id)
        assert await store.snapshot(record.run.id, 1_000_000) == model.snapshot(record.run.id, 1_000_000)
