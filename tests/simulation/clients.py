"""What clients do: create, submit, cancel, delete, and try again when nobody answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from runstead.domain.errors import InvalidRequest, RunsteadError
from runstead.domain.records import RunRecord
from runstead.http import runs, threads
from runstead.http.api import Api, Call
from runstead.http.cancelling import cancel
from runstead.http.queries import NO_QUERY
from runstead.wire.base import ThreadId
from runstead.wire.runs import CreateRun, ModifyRun, Run, SubmitToolOutputs, ToolOutput

if TYPE_CHECKING:
    from tests.simulation.world import World

PATIENCE = 4.0
"""Seconds a client waits for an answer before it asks another process."""
TRIES = 4
Ask = Callable[[Api], Awaitable[Any]]


def creating(thread_id: ThreadId) -> Ask:
    call = Call(version="v2", path={"thread_id": thread_id}, query=NO_QUERY, body=CreateRun(assistant_id="asst_1"))
    return lambda api: runs.create_run(api, call)


def submitting(record: RunRecord) -> Ask:
    action = record.run.required_action
    assert action is not None
    outputs = [ToolOutput(call.id, "42") for call in action.submit_tool_outputs.tool_calls]
    path = {"thread_id": record.run.thread_id, "run_id": record.run.id}
    call = Call(version="v2", path=path, query=NO_QUERY, body=SubmitToolOutputs(tool_outputs=outputs))
    return lambda api: runs.submit_tool_outputs(api, call)


def modifying(run: Run) -> Ask:
    path = {"thread_id": run.thread_id, "run_id": run.id}
    call = Call(version="v2", path=path, query=NO_QUERY, body=ModifyRun(metadata={"seen": "yes"}))
    return lambda api: runs.modify_run(api, call)


def deleting(thread_id: ThreadId) -> Ask:
    call = Call(version="v2", path={"thread_id": thread_id}, query=NO_QUERY, body=None)
    return lambda api: threads.delete_thread(api, call)


class Habits:
    """How often clients do what; drawn once for a world."""

    def __init__(self, rng: Random, *, may_leave: bool) -> None:
        self.cancels = rng.choice((0.0, 0.2, 0.6))
        self.deletes = rng.choice((0.0, 0.0, 0.1))
        self.modifies = rng.choice((0.0, 0.0, 0.3))
        self.leaves = rng.choice((0.0, 0.4)) if may_leave else 0.0


class Clients:
    def __init__(self, world: World, rng: Random, habits: Habits) -> None:
        self._world = world
        self._rng = rng
        self._habits = habits
        self.busy = 0
        """What they still mean to do."""

    def begin(self, thread_ids: list[ThreadId], how_many: int, within: float) -> None:
        for _ in range(how_many):
            thread_id = self._rng.choice(thread_ids)
            self._in(within * self._rng.random(), partial(self._create, thread_id))

    def _in(self, seconds: float, act: Callable[[], None]) -> None:
        self.busy += 1

        def do() -> None:
            act()
            self.busy -= 1

        self._world.loop.call_later(seconds, do, context=self._world.outside)

    def _ask(self, act: Ask, heard: Callable[[Any], None], tries: int = TRIES) -> None:
        """Ask a process that listens; another one if there is no answer, or none that says anything."""
        process = self._world.a_listener(self._rng)
        if process is None:
            self._in(0.5, lambda: self._ask(act, heard, tries))
            return
        self.busy += 1
        is_over = False

        def over(answer: Any) -> None:
            nonlocal is_over
            if is_over:
                if isinstance(answer, Run):
                    self._world.witness.told(answer)
                return
            is_over = True
            self.busy -= 1
            if isinstance(answer, RunsteadError) and not isinstance(answer, InvalidRequest):
                answer = None
            if answer is None and tries > 1:
                self._in(self._rng.random(), lambda: self._ask(act, heard, tries - 1))
            elif answer is not None:
                if isinstance(answer, Run):
                    self._world.witness.told(answer)
                heard(answer)

        self._world.loop.call_later(PATIENCE, lambda: None if is_over else over(None), context=self._world.outside)
        process.serve(act, over)

    def _create(self, thread_id: ThreadId) -> None:
        self._ask(creating(thread_id), self._created)

    def _created(self, answer: Any) -> None:
        if not isinstance(answer, Run):
            # The thread is busy, or gone.
            return
        throw, habits = self._rng.random, self._habits
        if throw() < habits.cancels:
            self._in(4.0 * throw() * throw(), lambda: self._cancel(answer))
        if throw() < habits.modifies:
            self._in(3.0 * throw(), lambda: self._ask(modifying(answer), _content))
        if throw() < habits.deletes:
            self._in(5.0 * throw(), lambda: self._ask(deleting(answer.thread_id), _content))

    def _cancel(self, run: Run) -> None:
        self._ask(lambda api: cancel(api, run.thread_id, run.id), _content)

    def is_waited_for(self, record: RunRecord) -> None:
        """A run waits for its client, who sees that before long, if there still is one."""
        throw = self._rng.random
        if throw() < self._habits.leaves:
            return
        for _ in range(2 if throw() < 0.1 else 1):
            self._in(throw(), lambda: self._submit(record))

    def _submit(self, record: RunRecord) -> None:
        # It does not give up: only its run's end is a reason.
        self._ask(submitting(record), _content, tries=1_000)


def _content(_answer: Any) -> None:
    """Whatever it says."""
