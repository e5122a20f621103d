"""One world: processes over one database and one bus, clients, misfortune, and a witness."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextvars import copy_context
from random import Random

from runstead.wire.base import ThreadId
from runstead.wire.threads import Thread
from runstead.wire.tools import CodeInterpreterTool, FileSearchResources, FileSearchTool, ToolResources
from tests.simulation.bus import Post
from tests.simulation.chaos import Chaos
from tests.simulation.clients import Clients
from tests.simulation.database import Database
from tests.simulation.loop import Loop
from tests.simulation.network import Network
from tests.simulation.process import START, Means, Process
from tests.simulation.scripted_clients import ScriptedClients
from tests.simulation.witness import Witness
from tests.unit.domain.making import assistant, function_tool

FUNCTIONS = [function_tool("f"), function_tool("g")]
ASSISTANT = assistant(tools=FUNCTIONS)
WITH_TOOLS = assistant(
    tools=[CodeInterpreterTool(), *FUNCTIONS, FileSearchTool()],
    tool_resources=ToolResources(file_search=FileSearchResources(["vs_1"])),
)


class World:
    network: Network
    clients: Clients | ScriptedClients
    chaos: Chaos

    def __init__(self, trace: list[str] | None = None) -> None:
        self.trace = trace
        self.loop = Loop()  # type: ignore[abstract]
        self.outside = copy_context()
        self.database = Database()
        self.numbers = itertools.count(1)
        self.post_office = Post()
        self.processes: dict[int, Process] = {}
        self.witness = Witness(self)
        self.is_alone = False
        self.is_healed = False
        self.wants_tools = 0.0
        """How often a model that has built-in tools uses them."""
        self.notes_sessions = False
        """Whether runs go to the process that has their thread's code session."""
        self.database.assistants[ASSISTANT.id] = ASSISTANT

    def new_thread(self) -> ThreadId:
        thread = Thread(id=ThreadId(f"thread_{len(self.database.threads) + 1}"), created_at=int(START))
        self.database.threads[thread.id] = thread
        return thread.id

    def give_tools(self) -> None:
        """From now on runs have built-in tools."""
        self.database.assistants[WITH_TOOLS.id] = WITH_TOOLS

    def in_(self, seconds: float, act: Callable[[], object]) -> None:
        self.loop.call_later(seconds, act, context=self.outside)

    def tell(self, what: str) -> None:
        if self.trace is not None:
            self.trace.append(f"{self.loop.now:8.3f}  {what}")

    def start_process(self, means: Means) -> Process:
        number = len(self.processes) + 1
        process = self.processes[number] = Process(self, number, means)
        self.tell(f"p{number} comes up")
        process.start(adopts=self.is_alone)
        return process

    def kill(self, number: int) -> None:
        self.tell(f"p{number} is dead")
        self.loop.kill(number)
        self.processes[number].is_alive = False

    def a_listener(self, rng: Random) -> Process | None:
        """A process that answers clients."""
        listening = [p for p in self.processes.values() if p.is_alive and p.is_listening]
        return rng.choice(listening) if listening else None
