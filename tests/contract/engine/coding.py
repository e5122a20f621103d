"""Nodes that run code, each in sessions of its own, of which one can see what they know."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

from msgspec import structs

from runstead.executor.worker import LeaseTimes, Worker
from runstead.ports import CodeFile, CodeOutcome, Sandbox, Store
from runstead.tools import code_interpreter, code_sessions, file_search
from runstead.tools.toolbox import Toolbox
from runstead.wire.runs import Run
from tests.contract.engine.test_builtin_tools import code, outputs_told
from tests.contract.engine.virtual_time import the_loop
from tests.contract.engine.world import BUILTIN, LEASE_FOR, Node, World, a_world, saying, using


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
async def several_nodes(number: int, capacity: int = 100) -> AsyncIterator[tuple[World, list[CodingNode]]]:
    """A world and its nodes."""
    async with a_world(nodes=0) as world:
        nodes = [CodingNode(world, f"w{place + 1}", capacity) for place in range(number)]
        for node in nodes:
            world.nodes.append(node)
            node.start()
        yield world, nodes


@asynccontextmanager
async def two_nodes(capacity: int = 100) -> AsyncIterator[tuple[World, CodingNode, CodingNode]]:
    async with several_nodes(2, capacity) as (world, (first, second)):
        yield world, first, second


async def a_run(world: World, node: Node | None, source: str, before: Run | None = None) -> Run:
    """A run that was created on a node, or where nobody executes, and calls code once."""
    world.seats_on = node
    world.model.will(using(code(f"call_{source}", source)), saying("Done."))
    return await world.create_run(before.thread_id if before else None, assistant_id=BUILTIN)


async def told(world: World, run: Run) -> str:
    """What the model was told of its code, once the run is done."""
    assert await world.rested(run) == "completed"
    return str(outputs_told(world)[-1])


async def a_first_run(world: World, node: Node) -> Run:
    """A thread's first run with code, done: from then on the node's session knows `a`."""
    run = await a_run(world, node, "a")
    assert await told(world, run) == "knows []"
    return run


async def where(world: World, run: Run) -> tuple[str | None, int] | None:
    """The owner and the generation that are noted of the session of a run's thread."""
    session = (await world.store.find_code_sessions([run.thread_id])).get(run.thread_id)
    return None if session is None else (session.owner, session.generation)
