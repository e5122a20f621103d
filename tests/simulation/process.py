"""A node of the world: the product's own worker, loops and handlers over a line, a bus and a clock that may err."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct

from runstead.domain.errors import RunsteadError, Unavailable
from runstead.executor import heartbeat, reconciler
from runstead.executor.run_driver import Tools
from runstead.executor.worker import LeaseTimes, Worker
from runstead.http.api import Api
from runstead.journal import Journal
from runstead.ports import Bus, Sandbox, Store
from runstead.ports import Model as ModelPort
from runstead.store.postgres_clock import DatabaseClock
from runstead.tools.code_sessions import CodeSessions
from tests.simulation.bus import ProcessBus
from tests.simulation.line import Line
from tests.simulation.loop import PROCESS, Loop
from tests.simulation.model import Model
from tests.simulation.tools import Workshop, a_toolbox

if TYPE_CHECKING:
    from tests.simulation.world import World

START = 1_000_000.0
LEASE_FOR = 6.0


class Err(Struct, frozen=True):
    """How wrong a machine's clock is, and how little its first measurement of the database's told."""

    skew: float = 0.0
    drift: float = 0.0
    round_trip: float = 0.0
    way_back: float = 0.0


class Means(Struct, frozen=True):
    """What a process is started with."""

    capacity: int
    expires_after: int
    err: Err = Err()


class ProcessClock:
    """The database's time as a process knows it: the product's own estimate, over a machine's clock that is wrong."""

    def __init__(self, loop: Loop, err: Err) -> None:
        self._loop = loop
        self._err = err
        self._estimate = DatabaseClock(self._elapsed)
        self.now = self._estimate.now
        # As when the first connection is made: the answer took a while, and nobody knows on which of its two ways.
        self._estimate.measured(self._elapsed() - err.round_trip, START + loop.now - err.way_back)

    def _elapsed(self) -> float:
        return self._err.skew + self._loop.now * (1.0 + self._err.drift)

    def told(self, sent_at: float, carried_out_at: float) -> None:
        """An answer has come just now that bears the database's time."""
        sent_at = self._err.skew + sent_at * (1.0 + self._err.drift)
        self._estimate.measured(sent_at, START + carried_out_at)


class CountingApi(Api, frozen=True, kw_only=True):
    """Ids are counted and not drawn, so that a seed means one story."""

    numbers: Iterator[int]

    def new_id(self, prefix: str) -> str:
        return f"{prefix}{next(self.numbers)}"


class Process:
    def __init__(self, world: World, number: int, means: Means) -> None:
        self.number = number
        self.owner = f"p{number}"
        self.means = means
        self.is_alive = True
        self.is_listening = False
        self.open_requests = 0
        self.clock = ProcessClock(world.loop, means.err)
        self._world = world
        self._context = copy_context()
        self._context.run(PROCESS.set, number)
        store = cast("Store", Line(world, number, self.clock))
        bus = cast("Bus", ProcessBus(world, number))
        journal = Journal(store, bus)
        workshop = Workshop(world, number)
        self.sessions: CodeSessions | None = None
        if world.notes_sessions:
            self.sessions = CodeSessions(
                cast("Sandbox", workshop), store, journal, self.clock, owner=self.owner, lease_for=LEASE_FOR
            )
        tools = Tools(
            store=store,
            bus=bus,
            journal=journal,
            model=cast("ModelPort", Model(world, number)),
            clock=self.clock,
            max_model_calls=6,
            toolbox=a_toolbox(world, number, workshop, self.sessions),
        )
        self.worker = Worker(
            tools,
            owner=self.owner,
            capacity=means.capacity,
            times=LeaseTimes.of(LEASE_FOR),
            has_peers=world.notes_sessions,
        )
        given: dict[str, Any] = {
            "store": store,
            "journal": journal,
            "bus": bus,
            "desk": self.worker,
            "model": tools.model,
            "clock": self.clock,
            "run_expires_after": means.expires_after,
            "numbers": world.numbers,
        }
        # What no request here asks for is not there.
        self.api = CountingApi(**dict.fromkeys(CountingApi.__struct_fields__, cast("Any", None)) | given)
        self.loops: list[asyncio.Task[Any]] = []

    @property
    def has_much_to_lose(self) -> bool:
        """Whether it does anything beside looking for something to do."""
        return bool(self.worker.drivers) or self.open_requests > 0

    def spawn(self, act: Awaitable[Any], name: str) -> asyncio.Task[Any]:
        return self._world.loop.create_task(cast("Any", act), name=name, context=self._context)

    def start(self, *, adopts: bool) -> None:
        """As app.running does."""
        self.loops.append(self.spawn(self._start(adopts=adopts), "start"))

    async def _start(self, *, adopts: bool) -> None:
        if adopts:
            try:
                await reconciler.adopt(self.worker)
            except Unavailable:
                # A process that cannot start ends, and whoever supervises it starts another.
                self._world.in_(0.0, self._world.chaos.failed_to_start(self.number))
                return
        self.is_listening = True
        loops = {
            "reconciler": reconciler.keep(self.worker),
            "offers": self.worker.serve_offers(),
            "cancels": self.worker.serve_cancels(),
            "heartbeat": heartbeat.keep(self.worker),
        }
        if self.sessions is not None:
            loops["code sessions"] = self.sessions.keep()
        for name, loop in loops.items():
            task = self.spawn(loop, name)
            task.add_done_callback(self._loop_ended)
            self.loops.append(task)

    def _loop_ended(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._world.loop.errors.append({"message": f"{task.get_name()} ended", "exception": task.exception()})

    def drain(self, then: Callable[[], None]) -> None:
        """As server.serve does after SIGTERM: hand everything back, then the process is gone."""
        self.is_listening = False

        async def leave() -> None:
            draining = self.worker.drain(3.0, finish_for=0.0)
            if self.sessions is None:
                await draining
            else:
                await asyncio.gather(self.sessions.leave(), draining)
            for task in self.loops:
                task.cancel()
            await asyncio.gather(*self.loops, return_exceptions=True)
            then()

        _ = self.spawn(leave(), "drain")

    def serve(self, act: Callable[[Api], Awaitable[Any]], answered: Callable[[Any], None]) -> None:
        """A request of a client; if the process dies there is no answer."""

        async def handle() -> None:
            self.open_requests += 1
            try:
                answer = await act(self.api)
            except RunsteadError as refusal:
                answer = refusal
            finally:
                self.open_requests -= 1
            self._world.outside.run(self._world.loop.call_soon, answered, answer)

        _ = self.spawn(handle(), "request")
