"""Nodes over one store and one bus, a model that follows a script, and a client: all of it in one loop."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from inspect import iscoroutinefunction
from typing import Any, TypeVar, cast

from obstore.store import MemoryStore

from runstead.blobs.contents import StoredContents
from runstead.bus.local import LocalBus
from runstead.domain.change import Change, InsertAssistant
from runstead.domain.errors import Unavailable
from runstead.domain.file_writes import InsertFile
from runstead.domain.records import RunRecord
from runstead.executor import heartbeat, reconciler
from runstead.executor.run_driver import Tools
from runstead.executor.worker import LeaseTimes, Worker
from runstead.http import runs, threads
from runstead.http.api import Api, Call
from runstead.http.cancelling import cancel
from runstead.http.endings import Endings
from runstead.http.queries import NO_QUERY
from runstead.journal import Journal
from runstead.ports import Bus, Model, PageRequest, Sandbox, Store
from runstead.store.sqlite import SqliteStore
from runstead.store.sqlite_writer import SqliteWriter
from runstead.tools import code_interpreter, file_search
from runstead.tools.toolbox import Toolbox
from runstead.wire.base import AssistantId, FileId, RunId, ThreadId
from runstead.wire.chat import ChatChunk, ChatRequest
from runstead.wire.events import LAST_EVENTS, StreamEvent
from runstead.wire.files import File
from runstead.wire.messages import CreateMessage, Message
from runstead.wire.models import Model as ModelCard
from runstead.wire.run_steps import RunStep
from runstead.wire.runs import CreateRun, CreateThreadAndRun, Run, SubmitToolOutputs, ToolOutput
from runstead.wire.threads import CreateThread
from runstead.wire.tools import (
    CodeInterpreterResources,
    CodeInterpreterTool,
    FileSearchResources,
    FileSearchTool,
    ToolResources,
)
from tests.contract.engine.tool_doubles import KeptFiles, ScriptedLibrary, ScriptedSandbox
from tests.contract.engine.virtual_time import the_loop
from tests.unit.domain.making import assistant, function_tool, piece, pieces, words
from tests.unit.domain.stream_rules import StreamRules

T = TypeVar("T")
START = 1_000_000.0
LEASE_FOR = 6.0


class Clock:
    """The machine's clock, which is the loop's."""

    def now(self) -> float:
        return START + the_loop().time()


class Gate:
    """A moment in a script at which the model waits until it is let go."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()


Beat = Sequence[ChatChunk] | Gate | BaseException
HELLO: list[Beat] = [[words("Hel")], [words("lo")], [words(finish="stop")]]


def calling(*ids: str, name: str = "f") -> list[Beat]:
    return using(*((id, name, "{}") for id in ids))


def using(*calls: tuple[str, str, str]) -> list[Beat]:
    """A turn of calls: id, name, arguments."""
    made = [piece(name, arguments, index=i, id=id) for i, (id, name, arguments) in enumerate(calls)]
    return [[pieces(*made, finish="tool_calls")]]


def saying(*pieces: str) -> list[Beat]:
    return [*([words(piece)] for piece in pieces), [words(finish="stop")]]


class ScriptedModel:
    """Says what its scripts say, one after the other, then HELLO."""

    def __init__(self) -> None:
        self.scripts: deque[list[Beat]] = deque()
        self.requests: list[ChatRequest] = []
        self.open = 0

    def will(self, *scripts: list[Beat]) -> None:
        self.scripts.extend(scripts)

    def will_stop_at_a_gate(self, *before: Sequence[ChatChunk], then: Sequence[Beat] = HELLO) -> Gate:
        gate = Gate()
        self.scripts.append([*before, gate, *then])
        return gate

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Sequence[ChatChunk], None]:
        self.requests.append(request)
        script = self.scripts.popleft() if self.scripts else HELLO
        self.open += 1
        try:
            for beat in script:
                match beat:
                    case Gate():
                        beat.reached.set()
                        await beat.opened.wait()
                    case BaseException():
                        raise beat
                    case _:
                        yield beat
        finally:
            self.open -= 1

    async def window(self, model: str) -> int:
        return 8_192

    async def list_models(self) -> list[ModelCard]:
        return []

    async def check(self) -> str:
        return "ok"

    async def close(self) -> None:
        return None


class Line:
    """A node's line to the store: it may be down, slow, or lose an answer."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_down = False
        self.loses_answers = 0
        self.slow: asyncio.Event | None = None
        self.arrived = asyncio.Event()
        self.asked: list[str] = []
        """What the node has asked the store, but for what its loops ask again and again."""

    def __getattr__(self, name: str) -> Any:
        act = getattr(self._store, name)
        return self._over_the_line(act) if iscoroutinefunction(act) else act

    def _over_the_line(self, act: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def asked(*args: Any) -> Any:
            self._demand()
            if act.__name__ not in ("due", "renew", "renew_code_sessions"):
                self.asked.append(act.__name__)
            if act.__name__ in ("commit", "renew", "renew_code_sessions"):
                if self.slow is not None:
                    self.arrived.set()
                    await self.slow.wait()
                    self._demand()
                answer = await the_loop().with_thread(act(*args))
                if self.loses_answers and act.__name__ == "commit":
                    self.loses_answers -= 1
                    raise Unavailable("The answer was lost.")
            else:
                answer = await act(*args)
            self._demand()
            return answer

        return asked

    def _demand(self) -> None:
        if self.is_down:
            raise Unavailable("The line is down.")


class DeafBus:
    """A bus that loses what it is told to lose."""

    def __init__(self, bus: LocalBus) -> None:
        self._bus = bus
        self.loses_offers = False
        self.loses_cancels = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    async def offer(self, run_id: RunId) -> None:
        if not self.loses_offers:
            await self._bus.offer(run_id)

    async def offer_to(self, owner: str, run_id: RunId) -> None:
        if not self.loses_offers:
            await self._bus.offer_to(owner, run_id)

    async def cancel(self, owner: str, run_id: RunId) -> None:
        if not self.loses_cancels:
            await self._bus.cancel(owner, run_id)


class Node:
    """A process: a worker with its loops, and a line of its own to the store."""

    def __init__(self, world: "World", name: str, capacity: int) -> None:
        self.line = Line(world.store)
        store = cast("Store", self.line)
        self.journal = Journal(store, cast("Bus", world.bus))
        tools = Tools(
            store=store,
            bus=cast("Bus", world.bus),
            journal=self.journal,
            model=cast("Model", world.model),
            clock=world.clock,
            max_model_calls=8,
            toolbox=world.toolbox,
        )
        self.worker = Worker(tools, owner=name, capacity=capacity, times=LeaseTimes.of(LEASE_FOR))
        self.loops: list[asyncio.Task[None]] = []

    def start(self) -> None:
        worker = self.worker
        for loop in (worker.serve_offers(), worker.serve_cancels(), heartbeat.keep(worker), reconciler.keep(worker)):
            self.loops.append(asyncio.create_task(loop))

    async def die(self) -> None:
        """As by SIGKILL: nothing is tidied up, nothing more is said or written."""
        self.line.is_down = True
        tasks = [*self.loops, *self.worker._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def freeze(self) -> None:
        """The node's loops stop, as if it had been stopped; its drivers hang on."""
        for task in self.loops:
            task.cancel()
        await asyncio.gather(*self.loops, return_exceptions=True)
        self.loops = []

    async def drain(self) -> None:
        await self.worker.drain(2.0, finish_for=1.0)
        await self.freeze()


class CommitHere:
    """In place of the writer's queue to its thread: the same commits, at moments that are the same in every run."""

    def __init__(self, writer: SqliteWriter) -> None:
        self._writer = writer
        self._to_thread = writer._to_commit

    def put(self, group: Any) -> None:
        if group is None:
            self._to_thread.put(None)
            return
        self._writer._connection.commit()
        the_loop().call_soon(self._writer._committed, group, None)


class World:
    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.clock = Clock()
        self.bus = DeafBus(LocalBus(keep_for=math.inf))
        self.model = ScriptedModel()
        self.sandbox = ScriptedSandbox()
        self.library = ScriptedLibrary()
        self.files = KeptFiles()
        self.toolbox = Toolbox(
            code_interpreter=code_interpreter.CodeInterpreterTool(
                cast("Sandbox", self.sandbox), self.files, timeout=60.0
            ),
            file_search=file_search.FileSearchTool(self.library),
        )
        self.nodes: list[Node] = []
        self.journal = Journal(cast("Store", Line(store)), cast("Bus", self.bus))
        self.api = Api(
            store=cast("Store", Line(store)),
            blobs=StoredContents(MemoryStore()),
            journal=self.journal,
            bus=cast("Bus", self.bus),
            endings=Endings(cast("Store", Line(store)), is_told=lambda: True),
            desk=self,
            model=cast("Model", self.model),
            library=cast(Any, self.library),
            clock=self.clock,
            run_expires_after=600,
        )
        self.seats_on: Node | None = None
        self.seat: Any = None

    # Nodes

    def add_node(self, capacity: int = 100) -> Node:
        node = Node(self, f"w{len(self.nodes) + 1}", capacity)
        self.nodes.append(node)
        node.start()
        return node

    async def host_of(self, record: RunRecord) -> str | None:
        """ports.Desk, likewise."""
        return None if self.seats_on is None else await self.seats_on.worker.host_of(record)

    def take_seat(self) -> Any:
        """ports.Desk: runs are claimed in their insert only if a test says where."""
        return self.seat if self.seats_on is None else self.seats_on.worker.take_seat()

    # What a client does

    async def new_thread(self) -> ThreadId:
        call = Call(version="v2", path={}, query=NO_QUERY, body=CreateThread())
        return (await threads.create_thread(self.api, call)).id

    async def create_run(self, thread_id: ThreadId | None = None, **fields: Any) -> Run:
        thread_id = thread_id or await self.new_thread()
        body = CreateRun(**({"assistant_id": "asst_1"} | fields))
        call = Call(version="v2", path={"thread_id": thread_id}, query=NO_QUERY, body=body)
        return cast("Run", await runs.create_run(self.api, call))

    async def create_thread_and_run(self, *said: str) -> Run:
        thread = CreateThread(messages=[CreateMessage(role="user", content=words) for words in said])
        body = CreateThreadAndRun(assistant_id="asst_1", thread=thread)
        call = Call(version="v2", path={}, query=NO_QUERY, body=body)
        return cast("Run", await runs.create_thread_and_run(self.api, call))

    async def cancel(self, run: Run) -> Run:
        return await cancel(self.api, run.thread_id, run.id)

    async def submit(self, run: Run, **outputs: str) -> Run:
        body = SubmitToolOutputs(tool_outputs=[ToolOutput(id, output) for id, output in outputs.items()])
        path = {"thread_id": run.thread_id, "run_id": run.id}
        call = Call(version="v2", path=path, query=NO_QUERY, body=body)
        return cast("Run", await runs.submit_tool_outputs(self.api, call))

    async def delete_thread(self, run: Run) -> None:
        call = Call(version="v2", path={"thread_id": run.thread_id}, query=NO_QUERY, body=None)
        await threads.delete_thread(self.api, call)

    # What is so

    async def record(self, run: Run) -> RunRecord:
        found = await self.store.find_run(run.id)
        assert found is not None
        return found

    async def status(self, run: Run) -> str:
        return (await self.record(run)).run.status

    async def steps(self, run: Run) -> list[RunStep]:
        return [record.step for record in await self.store.list_steps(run.id)]

    async def messages(self, run: Run) -> list[Message]:
        page = await self.store.page_messages(run.thread_id, PageRequest(order="asc", limit=100))
        return [message for message in page.items if message.run_id == run.id]

    async def events(self, run: Run) -> list[StreamEvent]:
        return list(await self.bus.history(run.id))

    async def told(self, run: Run) -> list[str]:
        """The names of a run's events, after holding the whole stream to the clients' rules."""
        seen = StreamRules().read(await self.events(run))
        return [name.removeprefix("thread.") for name in seen.names]

    # How time goes on

    async def settled(self) -> None:
        await the_loop().settled()

    async def rested(self, run: Run, within: float = 60.0) -> str:
        """Wait for a run to end or to wait for its client."""
        until = the_loop().time() + within
        while (status := await self.status(run)) in ("queued", "in_progress", "cancelling"):
            assert the_loop().time() < until, f"{run.id} is still {status}"
            await self.pass_time(0.25)
        await self.settled()
        return await self.status(run)

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.settled()


TOOLS = [function_tool("f"), function_tool("g")]
BUILTIN = AssistantId("asst_builtin")
BUILTIN_TOOLS = [CodeInterpreterTool(), FileSearchTool(), function_tool("f")]
RESOURCES = ToolResources(CodeInterpreterResources(["file-in"]), FileSearchResources(["vs_own"]))


@asynccontextmanager
async def a_world(nodes: int = 1, capacity: int = 100) -> AsyncIterator[World]:
    store = await SqliteStore.open_memory(Clock())
    store._writer._to_commit = cast("Any", CommitHere(store._writer))
    world = World(store)
    able = assistant(id=BUILTIN, tools=BUILTIN_TOOLS, tool_resources=RESOURCES)
    given = File(id=FileId("file-in"), bytes=1, created_at=0, filename="data.csv", purpose="assistants")
    change = Change(
        writes=(InsertFile(given), InsertAssistant(assistant(tools=TOOLS)), InsertAssistant(able)),
    )
    await the_loop().with_thread(store.commit(change))
    try:
        for _ in range(nodes):
            world.add_node(capacity)
        yield world
    finally:
        for node in world.nodes:
            await node.die()
        await store.close()


def is_last(event: StreamEvent) -> bool:
    return event.name in LAST_EVENTS
