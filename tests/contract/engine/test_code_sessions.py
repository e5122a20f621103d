"""Which node runs the code of a thread: the one that has its variables while it lives and has room, and nobody is misled."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import pytest
from msgspec import structs

from runstead.domain.errors import Unavailable
from runstead.executor.worker import LeaseTimes, Worker
from runstead.ports import CodeFile, CodeOutcome, Sandbox, Store
from runstead.tools import code_interpreter, code_sessions, file_search
from runstead.tools.code_interpreter import STARTED_ANEW
from runstead.tools.toolbox import Toolbox
from runstead.wire.runs import Run
from tests.contract.engine.test_builtin_tools import code, outputs_told
from tests.contract.engine.virtual_time import in_virtual_time, the_loop
from tests.contract.engine.world import BUILTIN, LEASE_FOR, Node, World, a_world, saying, using

RENEWED = LEASE_FOR / 3 + 0.1
"""Seconds within which a node has renewed its leases once."""


class Memory:
    """Sessions that know nothing but the code that was run in them, and print it."""

    def __init__(self) -> None:
        self.sessions: dict[str, list[str]] = {}

    async def run(self, thread_id: str, code: str, files: Sequence[CodeFile], *, timeout: float) -> CodeOutcome:
        is_fresh = thread_id not in self.sessions
        known = self.sessions.setdefault(thread_id, [])
        logs = f"knows {known}"
        known.append(code)
        return CodeOutcome(logs, is_fresh=is_fresh)

    def threads(self) -> frozenset[str]:
        return frozenset(self.sessions)

    async def release(self, thread_id: str) -> None:
        self.sessions.pop(thread_id, None)

    def paths(self, files: Sequence[CodeFile]) -> list[str]:
        return [file.name for file in files]

    async def describe(self) -> str:
        return "Python"


class CodingNode(Node):
    """A node with a sandbox of its own, and others beside it."""

    def __init__(self, world: World, name: str, capacity: int) -> None:
        super().__init__(world, name, capacity)
        self.memory = Memory()
        self.sessions = code_sessions.CodeSessions(
            cast("Sandbox", self.memory),
            cast("Store", self.line),
            self.journal,
            world.clock,
            owner=name,
            lease_for=LEASE_FOR,
        )
        coding = code_interpreter.CodeInterpreterTool(
            cast("Sandbox", self.memory), world.files, timeout=60.0, sessions=self.sessions
        )
        toolbox = Toolbox(code_interpreter=coding, file_search=file_search.FileSearchTool(world.library))
        self.worker = Worker(
            structs.replace(self.worker.tools, toolbox=toolbox),
            owner=name,
            capacity=capacity,
            times=LeaseTimes.of(LEASE_FOR),
            has_peers=True,
        )

    def start(self) -> None:
        super().start()
        self.loops.append(the_loop().create_task(self.sessions.keep()))


@asynccontextmanager
async def two_nodes(capacity: int = 100) -> AsyncIterator[tuple[World, CodingNode, CodingNode]]:
    async with a_world(nodes=0) as world:
        nodes = [CodingNode(world, name, capacity) for name in ("w1", "w2")]
        for node in nodes:
            world.nodes.append(node)
            node.start()
        yield world, nodes[0], nodes[1]


async def a_run(world: World, node: Node | None, source: str, before: Run | None = None) -> Run:
    """A run that was created on a node, or where nobody executes, and calls code once."""
    world.seats_on = node
    world.model.will(using(code(f"call_{source}", source)), saying("Done."))
    return await world.create_run(before.thread_id if before else None, assistant_id=BUILTIN)


async def told(world: World, run: Run) -> str:
    """What the model was told of its code, once the run is done."""
    assert await world.rested(run) == "completed"
    return str(outputs_told(world)[-1])


async def where(world: World, run: Run) -> tuple[str | None, int] | None:
    """The owner and the generation that are noted of the session of a run's thread."""
    session = (await world.store.find_code_sessions([run.thread_id])).get(run.thread_id)
    return None if session is None else (session.owner, session.generation)


@pytest.mark.parametrize("place", [0, 1])
@in_virtual_time
async def test_a_run_goes_at_once_to_the_node_that_has_the_variables(place):
    async with two_nodes() as (world, *nodes):
        here, elsewhere = nodes[place], nodes[1 - place]
        run = await a_run(world, here, "a")
        assert await told(world, run) == "knows []"

        begun = the_loop().time()
        assert await told(world, await a_run(world, elsewhere, "b", run)) == "knows ['a']"
        # Less than any reconciler would let a run wait.
        assert the_loop().time() - begun < 2.0

        at_home = await a_run(world, here, "c", run)
        assert (await world.record(at_home)).owner == here.worker.owner
        assert await told(world, at_home) == "knows ['a', 'b']"
        assert elsewhere.memory.sessions == {}
        assert await where(world, run) == (here.worker.owner, 1)


@in_virtual_time
async def test_runs_that_have_no_use_for_code_stay_where_they_were_created():
    async with two_nodes() as (world, first, second):
        run = await a_run(world, first, "a")
        assert await told(world, run) == "knows []"

        world.seats_on = second
        plain = await world.create_run(run.thread_id)

        assert (await world.record(plain)).owner == "w2"
        assert await world.rested(plain) == "completed"


@in_virtual_time
async def test_where_the_offer_is_lost_the_run_waits_for_the_node_that_has_the_variables():
    async with two_nodes() as (world, first, second):
        run = await a_run(world, first, "a")
        assert await told(world, run) == "knows []"
        world.bus.loses_offers = True

        assert await told(world, await a_run(world, second, "b", run)) == "knows ['a']"

        assert second.memory.sessions == {}


@in_virtual_time
async def test_a_node_that_died_is_waited_for_as_long_as_its_lease_lasts():
    async with two_nodes() as (world, first, second):
        run = await a_run(world, first, "a")
        assert await told(world, run) == "knows []"
        await first.die()
        world.nodes.remove(first)

        begun = the_loop().time()
        assert await told(world, await a_run(world, second, "b", run)) == f"{STARTED_ANEW}\nknows []"
        assert the_loop().time() - begun < LEASE_FOR + 2.0

        assert await told(world, await a_run(world, second, "c", run)) == "knows ['b']"
        assert await where(world, run) == ("w2", 2)


@in_virtual_time
async def test_a_node_that_left_is_not_waited_for():
    async with two_nodes() as (world, first, second):
        run = await a_run(world, first, "a")
        assert await told(world, run) == "knows []"
        await first.drain()
        await first.sessions.leave()

        begun = the_loop().time()
        assert await told(world, await a_run(world, second, "b", run)) == f"{STARTED_ANEW}\nknows []"
        assert the_loop().time() - begun < 2.0


@in_virtual_time
async def test_a_node_that_is_leaving_passes_on_what_it_is_offered():
    async with two_nodes() as (world, first, second):
        run = await a_run(world, first, "a")
        assert await told(world, run) == "knows []"
        first.worker.stop_taking()

        begun = the_loop().time()
        assert await told(world, await a_run(world, second, "b", run)) == f"{STARTED_ANEW}\nknows []"
        assert the_loop().time() - begun < 2.0


@in_virtual_time
async def test_a_node_that_is_full_passes_its_thread_on_and_forgets_it():
    async with two_nodes(capacity=1) as (world, first, second):
        run = await a_run(world, first, "a")
        assert await told(world, run) == "knows []"
        gate = world.model.will_stop_at_a_gate()
        busy = await world.create_run()
        await gate.reached.wait()

        assert await told(world, await a_run(world, second, "b", run)) == f"{STARTED_ANEW}\nknows []"

        # What the first has of it is of no use to anybody, and nobody is asked for it.
        await world.pass_time(RENEWED)
        assert first.memory.sessions == {}
        gate.opened.set()
        assert await world.rested(busy) == "completed"
        assert await told(world, await a_run(world, first, "c", run)) == "knows ['b']"


@in_virtual_time
async def test_a_session_that_others_came_after_is_not_used_again():
    async with two_nodes() as (world, first, second):
        run = await a_run(world, first, "a")
        assert await told(world, run) == "knows []"
        # As long as it is cut off its session stays, and nobody tells it anything.
        first.line.is_down = True
        await world.pass_time(LEASE_FOR + 0.1)
        assert await told(world, await a_run(world, second, "b", run)) == f"{STARTED_ANEW}\nknows []"
        assert first.memory.sessions == {run.thread_id: ["a"]}
        await second.drain()
        await second.sessions.leave()
        first.line.is_down = False

        # Before its next renewal.
        assert await told(world, await a_run(world, first, "c", run)) == f"{STARTED_ANEW}\nknows []"
        assert first.memory.sessions == {run.thread_id: ["c"]}
        assert await where(world, run) == ("w1", 3)


@in_virtual_time
async def test_a_session_that_nobody_came_after_survives_its_lease():
    async with two_nodes() as (world, first, _):
        run = await a_run(world, first, "a")
        assert await told(world, run) == "knows []"
        first.line.is_down = True
        await world.pass_time(LEASE_FOR * 2)
        first.line.is_down = False

        assert await told(world, await a_run(world, first, "b", run)) == "knows ['a']"


@in_virtual_time
async def test_a_session_that_has_ended_draws_no_runs():
    async with two_nodes() as (world, first, second):
        run = await a_run(world, first, "a")
        assert await told(world, run) == "knows []"
        # As where it idled for too long.
        await first.memory.release(run.thread_id)
        await world.pass_time(RENEWED)
        assert await where(world, run) == (None, 1)

        later = await a_run(world, second, "b", run)

        assert (await world.record(later)).owner == "w2"
        assert await told(world, later) == f"{STARTED_ANEW}\nknows []"
        assert await where(world, run) == ("w2", 2)


@in_virtual_time
async def test_a_thread_that_is_deleted_anywhere_loses_its_session():
    async with two_nodes() as (world, first, _):
        run = await a_run(world, first, "a")
        assert await told(world, run) == "knows []"

        await world.delete_thread(run)
        await world.pass_time(RENEWED)

        assert first.memory.sessions == {}


@in_virtual_time
async def test_a_session_is_not_let_go_of_while_a_call_is_about_to_open_it():
    async with two_nodes() as (world, first, _):
        world.seats_on = first
        gate = world.model.will_stop_at_a_gate()
        run = await world.create_run(assistant_id=BUILTIN)
        await gate.reached.wait()

        async with first.sessions.at_home(await world.record(run)):
            await world.pass_time(RENEWED)
            assert await where(world, run) == ("w1", 1)

        await world.pass_time(RENEWED)
        assert await where(world, run) == (None, 1)
        gate.opened.set()
        assert await world.rested(run) == "completed"


@in_virtual_time
async def test_who_has_lost_the_run_gets_no_session():
    async with two_nodes() as (world, first, second):
        world.seats_on = first
        gate = world.model.will_stop_at_a_gate()
        run = await world.create_run(assistant_id=BUILTIN)
        await gate.reached.wait()
        record = await world.record(run)

        with pytest.raises(Unavailable):
            async with second.sessions.at_home(record):
                raise AssertionError("it has none")
        with pytest.raises(Unavailable):
            async with first.sessions.at_home(structs.replace(record, epoch=record.epoch - 1)):
                raise AssertionError("it has none")

        assert await where(world, run) is None
        gate.opened.set()
        assert await world.rested(run) == "completed"


@in_virtual_time
async def test_a_node_whose_claim_was_answered_to_nobody_is_not_asked_for_ever():
    async with two_nodes() as (world, first, _):
        other = await a_run(world, first, "a")
        assert await told(world, other) == "knows []"
        gate = world.model.will_stop_at_a_gate(then=using(code("call_b", "b")))
        world.seats_on = first
        run = await world.create_run(assistant_id=BUILTIN)
        await gate.reached.wait()
        first.line.loses_answers = 1
        with pytest.raises(Unavailable):
            async with first.sessions.at_home(await world.record(run)):
                raise AssertionError("it does not know")
        assert await where(world, run) == ("w1", 1)

        await world.pass_time(RENEWED)

        assert await where(world, run) == (None, 1)
        gate.opened.set()
        assert await told(world, run) == "knows []"
