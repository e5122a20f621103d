"""Sees every commit at the moment it is carried out and every event at the moment it is said, and knows the promises.

It keeps its own picture of the rows and judges each change against that, so it does not depend on the model's fence:
a fence that is broken, in the model or in the product, is found here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runstead.domain.change import (
    Change,
    DeleteThread,
    InsertMessage,
    InsertRun,
    InsertStep,
    ReplaceRun,
    ReplaceStep,
    SetRunMetadata,
    TakeRun,
)
from runstead.domain.records import ACTIVE, RunRecord, StepRecord
from runstead.domain.run_lifecycle import NEXT, POISON_AFTER, TERMINAL
from runstead.domain.speech import RUN_EVENTS
from runstead.executor.run_driver import RunDriver
from runstead.wire.base import RunId, StepId
from runstead.wire.chat import ChatRequest
from runstead.wire.events import StreamEvent
from runstead.wire.run_steps import CodeInterpreterToolCall, FileSearchToolCall, LogOutput, ToolCall, ToolCalls
from runstead.wire.runs import Run, RunStatus
from tests.simulation.bus import as_read
from tests.simulation.process import START
from tests.unit.domain.stream_rules import BrokenStream, StreamRules

if TYPE_CHECKING:
    from tests.simulation.world import World

LEASED = frozenset({"in_progress", "cancelling"})
ENDS = frozenset(f"thread.run.{status}" for status in TERMINAL)
RESTS = ENDS | {"thread.run.requires_action"}
CLOCKS_DIFFER_BY = 1.0
"""Seconds that a lease may seem over to somebody before it is."""


def _calls(record: StepRecord) -> dict[str, ToolCall]:
    details = record.step.step_details
    return {call.id: call for call in details.tool_calls} if isinstance(details, ToolCalls) else {}


def _outputs(call: ToolCall) -> list[str]:
    """What the model surely has to read of a call's result."""
    match call:
        case CodeInterpreterToolCall(code_interpreter=code):
            return [output.logs for output in code.outputs if isinstance(output, LogOutput)]
        case FileSearchToolCall(file_search=search):
            return [part.text for result in search.results or () for part in result.content or ()]
        case _:
            return [] if call.function.output is None else [call.function.output]


class Broken(AssertionError):
    """A promise did not hold."""


def _after(status: RunStatus) -> frozenset[RunStatus]:
    """What one commit may make of a status: one signal, or two when it queues a run and claims it at once."""
    once = set(NEXT.get(status, {}).values())
    twice = {then for first in once if first == "queued" for then in NEXT[first].values()}
    return frozenset(once | twice | {status})


MAY_FOLLOW = {status: _after(status) for status in (*NEXT, *TERMINAL)}


class Witness:
    def __init__(self, world: World) -> None:
        self._world = world
        self.runs: dict[RunId, RunRecord] = {}
        self.steps: dict[StepId, StepRecord] = {}
        self.acknowledged: set[RunId] = set()
        self.deleted: set[RunId] = set()
        self.takeovers: dict[RunId, int] = {}
        self.active: dict[str, RunId] = {}
        self._stored_events: set[tuple[RunId, int, int]] = set()
        self._said: dict[tuple[RunId, int], list[StreamEvent]] = {}
        self._story_ended: dict[RunId, int] = {}
        self.calls = 0
        self.performed = 0
        self.is_over = False

    # What is written

    def committed(self, process: int, change: Change) -> None:
        """A change was carried out by the database just now."""
        fenced: set[str] = set()
        for write in change.writes:
            match write:
                case InsertRun(record):
                    self._demand(record.run.id not in self.runs, f"{record.run.id} was created twice")
                    fenced.add(record.run.id)
                    self._see_run(record.run.id)
                case ReplaceRun(_, was) | TakeRun(_, was):
                    fenced.add(was.run.id)
                    self._judge_fence(process, was)
                    if isinstance(write, TakeRun):
                        self._judge_taking(was, write.record)
                    self._judge_succession(self.runs[was.run.id], write.record)
                    self._see_run(was.run.id)
                case InsertStep(step):
                    self._demand(
                        step.step.run_id in fenced, f"a step of {step.step.run_id} was written without a fence"
                    )
                    self._judge_new_step(step)
                    self.steps[step.step.id] = step
                case ReplaceStep(step, _):
                    self._demand(
                        step.step.run_id in fenced, f"a step of {step.step.run_id} was written without a fence"
                    )
                    self._judge_step(self.steps[step.step.id], step)
                    self.steps[step.step.id] = step
                case InsertMessage(message) if message.run_id is not None:
                    self._demand(message.run_id in fenced, f"a message of {message.run_id} was written without a fence")
                case SetRunMetadata(_, id, _):
                    self.runs[id] = self._world.database.runs[id]
                case DeleteThread(id):
                    self._forget(id)
                case _:
                    pass
        if change.run_id is not None:
            self._stored_events.update((change.run_id, event.epoch, event.seq) for event in change.events)

    def _see_run(self, id: RunId) -> None:
        record = self.runs[id] = self._world.database.runs[id]
        status, thread_id = record.run.status, record.run.thread_id
        self._demand(record.owner is None or status in LEASED, f"{id} is {status} and has an owner")
        self._demand(
            (record.run.required_action is not None) == (status == "requires_action"),
            f"{id} is {status} with the wrong required_action",
        )
        if status in ACTIVE:
            self._demand(
                self.active.setdefault(thread_id, id) == id,
                f"{thread_id} has two active runs: {self.active[thread_id]}, {id}",
            )
        elif self.active.get(thread_id) == id:
            del self.active[thread_id]
        if status == "requires_action":
            self._world.clients.is_waited_for(record)

    def _judge_fence(self, process: int, was: RunRecord) -> None:
        before = self.runs.get(was.run.id)
        self._demand(before is not None, f"p{process} wrote to {was.run.id}, which is gone")
        assert before is not None
        is_so = (before.run.status, before.owner, before.epoch)
        believed = (was.run.status, was.owner, was.epoch)
        self._demand(
            is_so == believed, f"a zombie wrote: p{process} believed {believed} of {was.run.id}, it was {is_so}"
        )

    def _judge_taking(self, was: RunRecord, taken: RunRecord) -> None:
        """A run may change hands only when whoever held it cannot believe any more that it is his."""
        before = self.runs[was.run.id]
        if before.owner is None or before.run.status not in LEASED or taken.epoch == before.epoch:
            return
        if taken.owner is not None and taken.owner != before.owner:
            self.takeovers[was.run.id] = self.takeovers.get(was.run.id, 0) + 1
        holder = next((p for p in self._world.processes.values() if p.owner == before.owner), None)
        if holder is None or not holder.is_alive:
            if self._world.is_alone:
                return
        elif (driver := holder.worker.drivers.get(was.run.id)) is not None and driver.record.epoch == before.epoch:
            self._demand(
                not driver.lease.is_valid or taken.owner == before.owner,
                f"{was.run.id} was taken from {holder.owner}, which still trusts its lease",
            )
        left = (before.lease_until or 0.0) - START - self._world.loop.now
        self._demand(left < CLOCKS_DIFFER_BY, f"{was.run.id} was taken {left:.1f} s before its lease was over")

    def _judge_succession(self, before: RunRecord, after: RunRecord) -> None:
        id, was, now = before.run.id, before.run.status, after.run.status
        self._demand(was not in TERMINAL, f"{id} had ended as {was} and was written again ({now})")
        self._demand(now in MAY_FOLLOW[was], f"{id} went from {was} to {now}")
        self._demand(after.epoch >= before.epoch, f"the epoch of {id} fell from {before.epoch} to {after.epoch}")
        if after.owner is not None and after.owner != before.owner:
            self._demand(after.epoch > before.epoch, f"{id} got a new owner without a new epoch")
        self._demand(after.model_calls >= before.model_calls, f"{id} forgot a model call")
        self._demand(
            after.lost_leases < POISON_AFTER or self.takeovers.get(id, 0) >= POISON_AFTER,
            f"{id} was given up though it was lost {self.takeovers.get(id, 0)} times",
        )

    def _judge_new_step(self, new: StepRecord) -> None:
        for other in self.steps.values():
            if other.step.run_id == new.step.run_id and other.model_call == new.model_call:
                self._demand(
                    other.step.type != new.step.type,
                    f"model call {new.model_call} of {new.step.run_id} was stored twice ({new.step.type})",
                )

    def _judge_step(self, before: StepRecord, after: StepRecord) -> None:
        id = before.step.id
        self._demand(before.step.status == "in_progress", f"{id} was written after its end")
        has, had = _calls(after), _calls(before)
        self._demand(list(has) == list(had), f"{id} holds other calls than before")
        for call_id, notes in before.notes.items():
            if notes.is_done:
                is_kept = after.notes.get(call_id) == notes and has[call_id] == had[call_id]
                self._demand(is_kept, f"the result of {call_id} was stored and overwritten")

    def _forget(self, thread_id: str) -> None:
        gone = [id for id, record in self.runs.items() if record.run.thread_id == thread_id]
        for id in gone:
            del self.runs[id]
        self.deleted.update(gone)
        self.active.pop(thread_id, None)

    def renewed(self) -> None:
        """Leases are longer; nothing else may have changed."""
        for id, record in self._world.database.runs.items():
            self.runs[id] = record

    # What is said

    def emitted(self, process: int, run_id: RunId, events: Sequence[StreamEvent]) -> None:
        """A process says something just now."""
        row = self.runs.get(run_id)
        self._demand(process not in self._world.loop.dead, f"p{process} spoke after its death")
        for event in events:
            name, epoch, seq = event.name, event.epoch, event.seq
            said = self._said.setdefault((run_id, epoch), [])
            # Sentences are made only for what is wrong: this is asked for every event there is.
            if seq < len(said):
                # The run's metadata may be another one by now.
                if said[seq].name != name or (said[seq].data != event.data and name not in RUN_EVENTS):
                    self._break(f"event {epoch}.{seq} of {run_id} was {said[seq].name} and is said again as {name}")
                continue
            if seq != len(said):
                self._break(f"event {epoch}.{seq} of {run_id} ({name}) came as {epoch}.{len(said)}")
            said.append(event)
            if row is not None and (run_id, epoch, seq) not in self._stored_events:
                if epoch != row.epoch:
                    self._break(f"a zombie spoke: p{process} said {name} {epoch}.{seq}, {run_id} is at {row.epoch}")
                if name in RESTS:
                    self._break(f"{name} of {run_id} was said before it was stored")
            if epoch > self._story_ended.get(run_id, epoch):
                self._break(f"{name} {epoch}.{seq} of {run_id} came after its end")
            if name in ENDS:
                if run_id in self._story_ended:
                    self._break(f"{run_id} ended twice in its stream")
                self._story_ended[run_id] = epoch
        if self._world.trace is not None:
            self._world.tell(f"p{process} says {', '.join(f'{e.epoch}.{e.seq} {e.name}' for e in events)}")

    def asked(self, process: int, request: ChatRequest) -> None:
        """A process asks the model."""
        self.calls += 1
        told = [message.tool_call_id for message in request.messages if message.role == "tool"]
        self._demand(len(told) == len(set(told)), f"p{process} told the model of a call twice: {told}")
        driver = self._driver(process)
        if driver is None or not driver.lease.is_valid:
            return
        for step in self.steps.values():
            if step.step.run_id == driver.record.run.id and step.step.status == "completed":
                for call_id, call in _calls(step).items():
                    self._demand(call_id in told, f"p{process} did not tell the model of {call_id}")
                    for output in _outputs(call):
                        self._demand(
                            any(output in str(m.content) for m in request.messages if m.tool_call_id == call_id),
                            f"p{process} told the model something else than the result of {call_id}",
                        )

    def performing(self, process: int, run_id: RunId, call_id: str) -> None:
        """A process begins a call of a built-in tool."""
        self.performed += 1
        driver = self._world.processes[process].worker.drivers.get(run_id)
        if driver is None or not driver.lease.is_valid or run_id not in self.runs:
            # Whoever woke up late does it for nobody: what comes of it meets the fence.
            return
        holding = [step for step in self.steps.values() if step.step.run_id == run_id and call_id in step.notes]
        self._demand(bool(holding), f"p{process} performs {call_id} before it is stored that it shall be")
        self._demand(
            not holding[0].notes[call_id].is_done, f"p{process} performs {call_id} again, which has its result"
        )
        self._demand(holding[0].step.status == "in_progress", f"p{process} performs {call_id} of a step that has ended")

    def _driver(self, process: int) -> RunDriver | None:
        """Whoever speaks."""
        task = asyncio.current_task()
        return self._world.processes[process].worker.drivers.get(RunId(task.get_name())) if task else None

    # What clients are told

    def told(self, answer: Run) -> None:
        """A client has this answer, so it is stored."""
        self._demand(
            answer.id in self.runs or answer.id in self.deleted, f"{answer.id} was acknowledged and is not stored"
        )
        self.acknowledged.add(answer.id)

    # What is so in the end

    @property
    def are_all_ended(self) -> bool:
        return not self.active

    def judge_the_end(self) -> None:
        """Everything that could have happened has happened."""
        for id in self.acknowledged - self.deleted:
            record = self._world.database.runs.get(id)
            self._demand(record is not None, f"{id} is lost")
            assert record is not None
            self._demand(record.run.status in TERMINAL, f"{id} never ended: {record.run.status} of {record.owner}")
        for step in self._world.database.steps.values():
            self._demand(step.step.status != "in_progress", f"{step.step.id} is open though its run has ended")
        self._demand(self._world.database.runs == self.runs, "the rows changed without a commit")

    def judge_the_stories(self) -> None:
        """What readers were told holds together, by the rules of the official clients."""
        post = self._world.post_office
        for run_id, events in post.events.items():
            if run_id in post.lost_events:
                continue
            try:
                StreamRules().read(as_read(events))
            except BrokenStream as error:
                raise self._broken(f"the stream of {run_id}: {error}") from error

    def _demand(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self._break(otherwise)

    def _break(self, words: str) -> None:
        if not self.is_over:
            raise self._broken(words)

    def _broken(self, words: str) -> Broken:
        return Broken(f"{words} (at {self._world.loop.now:.3f} s)")
