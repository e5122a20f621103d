"""An event loop without a clock or a socket: time is a number, and every process of the world lives in it.

The product's own coroutines run here on asyncio's own tasks. A process is a value of `PROCESS` in the context of its
tasks, so one that dies or stands still is known at each of its steps: its callbacks are dropped or held back, and no
`finally` of a killed process ever runs while the world goes on.
"""

import asyncio
import itertools
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from heapq import heappop, heappush
from typing import Any, Self, TypeVar

T = TypeVar("T")

PROCESS: ContextVar[int] = ContextVar("PROCESS", default=0)
"""Whose code runs; 0 is the world outside all processes."""

MANY_STEPS = 20_000
"""Steps at one moment after which somebody is held to turn in a circle."""


LAST_WORDS = 5
"""How often a coroutine that outlives its world may refuse to end."""


class TurnsInACircle(AssertionError):
    """Steps without end, and the clock does not move on."""


class Handle:
    """What asyncio asks of a handle, and no more."""

    __slots__ = ("act", "args", "at", "context", "is_cancelled")

    def __init__(self, act: Callable[..., object], args: tuple[Any, ...], context: Context | None, at: float) -> None:
        self.act = act
        self.args = args
        self.context = copy_context() if context is None else context
        self.at = at
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True

    def cancelled(self) -> bool:
        return self.is_cancelled

    def when(self) -> float:
        return self.at


class OrderedTask(asyncio.Task[Any]):
    """A task that a set keeps at the same place whenever a seed is told again."""

    def __init__(self, coro: Coroutine[Any, Any, Any], number: int, **options: Any) -> None:
        self.number = number
        self.process = PROCESS.get() if options["context"] is None else options["context"].get(PROCESS, 0)
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self.number

    __eq__ = object.__eq__


class Loop(asyncio.AbstractEventLoop):
    """As much of a loop as the engine asks for."""

    def __init__(self) -> None:
        self.now = 0.0
        self.steps = 0
        self.ready: deque[Handle] = deque()
        self.timers: list[tuple[float, int, Handle]] = []
        self.tasks: list[OrderedTask] = []
        self.held: dict[int, list[Handle]] = {}
        """Processes that stand still, and what waits for them."""
        self.doomed: dict[int, tuple[int, Callable[[], None]]] = {}
        """How many more steps a process makes, and what happens instead of the next one."""
        self.dead: set[int] = set()
        self.errors: list[dict[str, Any]] = []
        self.throw: Callable[[], float] = lambda: 0.5
        self.tell: Callable[[str], None] | None = None
        self._count = 0
        self._is_troubled = False
        self._dropped: list[Handle] = []

    # What asyncio asks of a loop

    def time(self) -> float:
        return self.now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, context: Context | None = None
    ) -> "asyncio.Task[T]":
        task = OrderedTask(coro, len(self.tasks) + 1, loop=self, name=name or "", context=context)
        self.tasks.append(task)
        return task

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        handle = Handle(callback, args, context, self.now)
        self.ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        handle = Handle(callback, args, context, when)
        self._count += 1
        heappush(self.timers, (when, self._count, handle))
        return handle

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(context)

    # What happens to processes

    def doom(self, process: int, after_steps: int, then: Callable[[], None]) -> None:
        """Let a process make so many more steps; `then` happens in place of the next one."""
        self.doomed[process] = (after_steps, then)
        self._is_troubled = True

    def kill(self, process: int) -> None:
        self.dead.add(process)
        self._is_troubled = True
        self._dropped += self.held.pop(process, ())
        self.doomed.pop(process, None)

    def stop(self, process: int) -> None:  # type: ignore[override]
        """As by SIGSTOP."""
        self.held.setdefault(process, [])
        self._is_troubled = True

    def resume(self, process: int) -> None:
        """Everything that came meanwhile is there at once."""
        self.ready.extend(self.held.pop(process, ()))

    # How time goes on

    def settle(self) -> None:
        """Run until nobody can go on without time passing."""
        ready, steps = self.ready, 0
        while ready:
            handle = ready.popleft()
            if handle.is_cancelled:
                continue
            steps += 1
            if self._is_troubled and not self._may_run(handle):
                continue
            handle.context.run(handle.act, *handle.args)
            if steps > MANY_STEPS:
                raise TurnsInACircle
        self.steps += steps

    def _may_run(self, handle: Handle) -> bool:
        process = handle.context.get(PROCESS, 0)
        if process in self.dead:
            self._dropped.append(handle)
            return False
        if process in self.doomed:
            left, then = self.doomed[process]
            if left == 0:
                del self.doomed[process]
                then()
                return self._may_run(handle)
            self.doomed[process] = (left - 1, then)
        if process in self.held:
            self.held[process].append(handle)
            return False
        return True

    def next_timer(self) -> float | None:
        """When something happens next by itself."""
        timers = self.timers
        while timers and timers[0][2].is_cancelled:
            heappop(timers)
        return timers[0][0] if timers else None

    def tick(self) -> None:
        """Move the clock to the next timer and let it ring."""
        when, _, handle = heappop(self.timers)
        self.now = max(self.now, when)
        self.ready.append(handle)

    def __enter__(self) -> Self:
        events._set_running_loop(self)
        return self

    def __exit__(self, *error: object) -> None:
        """The world has been judged: whatever still waits in it is let go."""
        self.dead.clear()
        # Without these no task of a dead process would ever be woken, not even to be ended.
        self.ready.extend(itertools.chain(self._dropped, *self.held.values()))
        self.held.clear()
        self.doomed.clear()
        for _ in range(LAST_WORDS):
            pending = [task for task in self.tasks if not task.done()]
            if not pending:
                break
            for task in pending:
                task.cancel()
            self.settle()
        for task in self.tasks:
            # asyncio's list of all tasks is a set: tasks of other worlds with the same numbers would collide in it.
            asyncio.tasks._unregister_task(task)
        self.tasks.clear()
        self.ready.clear()
        self.timers.clear()
        self._dropped.clear()
        events._set_running_loop(None)
