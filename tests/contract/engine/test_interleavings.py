"""Whatever happens in whatever order: every run ends once, and every reader is shown one true story.

`RUNSTEAD_TEST_EXAMPLES=2000 pytest tests/contract/engine/test_interleavings.py` looks for longer.
"""

import asyncio
import os
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from itertools import count
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from runstead.domain.errors import InvalidRequest, ModelFailed, Unavailable
from runstead.domain.records import ACTIVE, StepRecord
from runstead.domain.run_lifecycle import TERMINAL
from runstead.ports import CodeOutcome
from runstead.wire.base import ThreadId
from runstead.wire.events import StreamEvent
from runstead.wire.run_steps import CodeInterpreterToolCall, RunStep, ToolCall, ToolCalls
from runstead.wire.runs import Run
from tests.contract.engine.tool_doubles import Held
from tests.contract.engine.virtual_time import VirtualLoop
from tests.contract.engine.world import BUILTIN, HELLO, Beat, Gate, Node, World, a_world, calling, using
from tests.unit.domain.making import words
from tests.unit.domain.stream_rules import StreamRules

SCRIPTS = [
    "hello",
    "held",
    "held before a word",
    "calls",
    "held before calls",
    "unknown call",
    "code",
    "held code",
    "code and calls",
    "a search",
    "failure",
    "bug",
]
number = st.integers(0, 7)


class Interleavings(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=VirtualLoop)
        self.context: AbstractAsyncContextManager[World] = a_world(nodes=1, capacity=3)
        self.world: World = self._do(self.context.__aenter__())
        self.threads: list[ThreadId] = [self._do(self.world.new_thread()) for _ in range(3)]
        self.runs: list[Run] = []
        self.gates: list[Gate | Held] = []
        self.codes = count()
        self.asked: set[asyncio.Task[Any]] = set()
        self.nodes: list[Node] = [*self.world.nodes]
        self.ended: dict[str, Run] = {}
        self.closed: dict[str, RunStep] = {}
        # Calls of built-in tools that have a result, with how often their code had been executed by then.
        self.done: dict[str, tuple[ToolCall, int]] = {}
        self.epochs: dict[str, int] = {}
        self.seen: dict[str, list[StreamEvent]] = {}

    def _do(self, act: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(act)

    def _ask(self, act: Coroutine[Any, Any, Any]) -> None:
        """Begin what a client asks, without waiting for the answer."""

        async def begin() -> None:
            task = asyncio.create_task(self._answered(act))
            self.asked.add(task)
            task.add_done_callback(self.asked.discard)

        self._do(begin())

    @staticmethod
    async def _answered(act: Coroutine[Any, Any, Any]) -> None:
        try:
            await act
        except (InvalidRequest, Unavailable):
            return

    # What clients do

    @rule(thread=st.integers(0, 2), scripts=st.lists(st.sampled_from(SCRIPTS), min_size=1, max_size=3))
    def create(self, thread: int, scripts: list[str]) -> None:
        for name in scripts:
            self.world.model.will(self._script(name))
        self._ask(self._create(self.threads[thread]))

    async def _create(self, thread_id: ThreadId) -> None:
        self.runs.append(await self.world.create_run(thread_id, assistant_id=BUILTIN))

    def _script(self, name: str) -> list[Beat]:
        if name == "held code":
            self.gates.append(self.world.sandbox.will_hold(CodeOutcome("late")))
        elif name.startswith("held"):
            self.gates.append(Gate())
        said: list[Beat] = [[words("Hel")]]
        match name:
            case "held":
                return [*said, self._gate(), *HELLO]
            case "held before a word":
                return [self._gate(), *HELLO]
            case "held before calls":
                return [*said, self._gate(), *calling("a")]
            case "code" | "held code":
                return using(self._code("a"), self._code("b"))
            case "code and calls":
                return using(("a", "f", "{}"), self._code("b"))
            case "a search":
                return using(("a", "file_search", '{"query": "q"}'))
            case "calls":
                return calling("a", "b")
            case "unknown call":
                return calling("a", name="nope")
            case "failure":
                return [*said, ModelFailed("server_error", "no")]
            case "bug":
                return [*said, RuntimeError("a bug")]
            case _:
                return HELLO

    def _gate(self) -> Gate:
        gate = self.gates[-1]
        assert isinstance(gate, Gate)
        return gate

    def _code(self, id: str) -> tuple[str, str, str]:
        """A call whose code no other call has."""
        return id, "code_interpreter", f'{{"code": "{next(self.codes)}"}}'

    @precondition(lambda self: len(self.runs) > 0)
    @rule(which=number)
    def cancel(self, which: int) -> None:
        self._ask(self.world.cancel(self.runs[-1 - which % len(self.runs)]))

    @precondition(lambda self: len(self.runs) > 0)
    @rule(which=number)
    def submit(self, which: int) -> None:
        self._ask(self._submit(self.runs[-1 - which % len(self.runs)]))

    async def _submit(self, run: Run) -> None:
        required = (await self.world.record(run)).run.required_action
        calls = [] if required is None else required.submit_tool_outputs.tool_calls
        await self.world.submit(run, **{call.id: "x" for call in calls})

    # What time, chance and the model do

    @rule(seconds=st.sampled_from([0.3, 1.0, 2.5, 4.5, 7.0, 7.0, 30.0, 605.0]))
    def time_passes(self, seconds: float) -> None:
        self._do(self.world.pass_time(seconds))

    @rule(turns=st.integers(1, 12))
    def the_loop_turns(self, turns: int) -> None:
        async def turn() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)

        self._do(turn())

    @rule()
    def everything_settles(self) -> None:
        self._do(self.world.settled())

    @precondition(lambda self: self.gates)
    @rule(which=number)
    def the_model_goes_on(self, which: int) -> None:
        self.gates.pop(which % len(self.gates)).opened.set()

    @rule(offers=st.booleans(), cancels=st.booleans())
    def the_bus_loses(self, offers: bool, cancels: bool) -> None:
        self.world.bus.loses_offers, self.world.bus.loses_cancels = offers, cancels

    # What happens to nodes

    @precondition(lambda self: len(self.nodes) < 3)
    @rule()
    def a_node_comes_up(self) -> None:
        self._do(self._add_node())

    async def _add_node(self) -> None:
        self.nodes.append(self.world.add_node(capacity=3))

    @precondition(lambda self: self.nodes)
    @rule(which=number)
    def a_node_dies(self, which: int) -> None:
        node = self.nodes.pop(which % len(self.nodes))
        self._leave(node)
        self._do(node.die())

    @precondition(lambda self: self.nodes)
    @rule(which=number)
    def a_node_drains(self, which: int) -> None:
        node = self.nodes.pop(which % len(self.nodes))
        self._leave(node)
        self._do(node.drain())

    def _leave(self, node: Node) -> None:
        if self.world.seats_on is node:
            self.world.seats_on = None

    @rule(which=number)
    def requests_come_to(self, which: int) -> None:
        self.world.seats_on = self.nodes[which % len(self.nodes)] if self.nodes and which else None

    @precondition(lambda self: self.nodes)
    @rule(which=number)
    def a_node_freezes_or_thaws(self, which: int) -> None:
        node = self.nodes[which % len(self.nodes)]
        if node.loops:
            self._do(node.freeze())
        else:
            self._do(self._start(node))

    @staticmethod
    async def _start(node: Node) -> None:
        node.start()

    @precondition(lambda self: self.nodes)
    @rule(which=number, lost=st.integers(0, 2))
    def a_line_breaks_or_comes_back(self, which: int, lost: int) -> None:
        line = self.nodes[which % len(self.nodes)].line
        line.loses_answers = lost
        if not lost:
            line.is_down = not line.is_down

    @precondition(lambda self: self.nodes)
    @rule(which=number)
    def a_line_becomes_slow_or_quick(self, which: int) -> None:
        self._hurry(self.nodes[which % len(self.nodes)], also_slow=True)

    @precondition(lambda self: self.nodes)
    @rule(which=number)
    def a_node_hangs_for_longer_than_its_leases(self, which: int) -> None:
        """Whatever it was writing arrives when others have long taken over."""
        node = self.nodes[which % len(self.nodes)]
        node.line.slow = node.line.slow or asyncio.Event()
        self._do(node.freeze())
        self._do(self.world.pass_time(8.0))
        self._hurry(node, also_slow=False)

    @staticmethod
    def _hurry(node: Node, *, also_slow: bool) -> None:
        slow, node.line.slow = node.line.slow, None
        if slow is not None:
            slow.set()
        elif also_slow:
            node.line.slow = asyncio.Event()

    # What is always so

    @invariant()
    def all_is_well(self) -> None:
        self._do(self._check())

    async def _check(self) -> None:
        active: set[str] = set()
        for run in self.runs:
            record = await self.world.record(run)
            now = record.run
            if now.status in ACTIVE:
                assert now.thread_id not in active, "two runs are active on one thread"
                active.add(now.thread_id)
            self._check_moments(now)
            assert record.epoch >= self.epochs.get(run.id, 0), "an epoch fell"
            self.epochs[run.id] = record.epoch
            assert (record.owner is None) or now.status in ("in_progress", "cancelling")
            if now.status in TERMINAL:
                assert self.ended.setdefault(run.id, now) == now, "an end was not final"
            await self._check_steps(run)
            await self._check_story(run)

    @staticmethod
    def _check_moments(run: Run) -> None:
        assert (run.required_action is not None) == (run.status == "requires_action")
        assert (run.usage is not None) == (run.status in TERMINAL)
        assert (run.expires_at is not None) == (run.status in ACTIVE or run.status == "expired")
        ends = [run.completed_at, run.failed_at, run.cancelled_at]
        assert sum(end is not None for end in ends) == (run.status in TERMINAL and run.status != "expired")
        assert run.created_at <= (run.started_at or run.created_at) <= min(end or 2**31 for end in ends)
        assert run.started_at or run.status in ("queued", "cancelled", "expired")

    async def _check_steps(self, run: Run) -> None:
        records = await self.world.store.list_steps(run.id)
        steps = [record.step for record in records]
        for record in records:
            self._check_results(record)
        stored = {message.id for message in await self.world.messages(run)}
        told = [s.step_details.message_creation.message_id for s in steps if s.type == "message_creation"]
        assert sorted(stored) == sorted(told)
        for step in steps:
            if step.status != "in_progress":
                assert self.closed.setdefault(step.id, step) == step, "a step was written after its end"
        is_open = any(step.status == "in_progress" for step in steps)
        now = await self.world.record(run)
        assert is_open == (now.run.status == "requires_action" or now.has_open_calls)
        assert not (now.has_open_calls and now.run.status in TERMINAL)

    def _check_results(self, record: StepRecord) -> None:
        details = record.step.step_details
        for call in details.tool_calls if isinstance(details, ToolCalls) else ():
            if call.id in record.notes and record.notes[call.id].is_done:
                first, executions = self.done.setdefault(f"{record.step.id} {call.id}", (call, self._executions(call)))
                assert call == first, "a result changed"
                assert self._executions(call) == executions, "code with a result was executed again"

    def _executions(self, call: ToolCall) -> int:
        if not isinstance(call, CodeInterpreterToolCall):
            return 0
        return [executed.code for executed in self.world.sandbox.executed].count(call.code_interpreter.input)

    async def _check_story(self, run: Run) -> None:
        events = await self.world.events(run)
        seen = self.seen.get(run.id, [])
        assert events[: len(seen)] == seen, "a reader that came earlier saw something else"
        StreamRules().read(events)
        self.seen[run.id] = events

    # What is so in the end

    def teardown(self) -> None:
        try:
            self._do(self._calm_down())
            self._do(self._check())
        finally:
            self._do(self.context.__aexit__(None, None, None))
            self.runner.close()

    async def _keep_busy(self, node: Node) -> Gate:
        gate = self.world.model.will_stop_at_a_gate()
        self.world.seats_on = node
        await self.world.create_run()
        self.world.seats_on = None
        await gate.reached.wait()
        return gate

    async def _calm_down(self) -> None:
        self.world.bus.loses_offers = self.world.bus.loses_cancels = False
        self.world.seats_on = None
        self.world.model.scripts.clear()
        self.world.sandbox.outcomes.clear()
        for gate in self.gates:
            gate.opened.set()
        for node in self.nodes:
            node.line.is_down, node.line.loses_answers = False, 0
            self._hurry(node, also_slow=False)
            if not node.loops:
                node.start()
        await self._add_node()
        # Every node has something to renew: what nobody drives must not be renewed along with it.
        busy = [await self._keep_busy(node) for node in self.nodes if node.worker.has_room]
        await self.world.pass_time(40.0)
        for gate in busy:
            gate.opened.set()
        await self.world.settled()
        assert not self.asked
        for run in self.runs:
            record = await self.world.record(run)
            assert record.run.status in {*TERMINAL, "requires_action"}, f"{run.id} is lost: {record.run.status}"
        await self._check()
        await self.world.pass_time(610.0)
        assert {await self.world.status(run) for run in self.runs} <= TERMINAL
        assert self.world.model.open == 0
        for thread_id in self.threads:
            assert await self.world.rested(await self.world.create_run(thread_id)) == "completed"


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(
    max_examples=int(os.environ.get("RUNSTEAD_TEST_EXAMPLES", "60")),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
