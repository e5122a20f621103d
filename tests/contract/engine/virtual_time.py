"""A loop whose clock moves only when nothing else can happen: hours pass at once, and nothing is ever slept for.

While a piece of work is with another thread (the store's commits), the clock stands and the loop waits for it.
"""

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")

GUARD = 20.0
"""Real seconds after which a loop that waits for a thread, or for nothing at all, is held to be stuck."""


MANY_TURNS = 20_000
"""Turns of the loop at one moment of its clock after which somebody is held to turn in a circle."""


class Stuck(AssertionError):
    """Everybody waits, and nothing that could wake anybody is on its way."""


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.now = 0.0
        self.elsewhere = 0
        self._idlers: list[asyncio.Future[None]] = []
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self.now

    def wake_idlers(self) -> bool:
        woken, self._idlers = self._idlers, []
        for idler in woken:
            if not idler.done():
                idler.set_result(None)
        return bool(woken)

    async def settled(self) -> None:
        """Wait until nobody can go on without time passing."""
        idler = self.create_future()
        self._idlers.append(idler)
        await idler

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        self.elsewhere += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._is_back)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Wait for its threads in real time: this loop's clock would reach any timeout at once."""
        executor = getattr(self, "_default_executor", None)
        if executor is not None:
            executor.shutdown(wait=True)

    async def with_thread(self, work: Awaitable[T]) -> T:
        """Await what another thread does; the clock stands until that is done, even if the caller is cancelled."""
        self.elsewhere += 1
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._is_back)
        return await asyncio.shield(task)

    def _is_back(self, task: "asyncio.Future[Any]") -> None:
        self.elsewhere -= 1
        if not task.cancelled():
            task.exception()


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop
        self._turns = 0

    def select(self, timeout: float | None = None) -> Any:
        self._turns += 1
        if self._turns > MANY_TURNS:
            raise Stuck
        if timeout is not None and timeout <= 0:
            return super().select(0)
        if not self._loop.elsewhere:
            if self._loop.wake_idlers():
                return super().select(0)
            if timeout is not None:
                self._loop.now += timeout
                self._turns = 0
                return super().select(0)
        if events := super().select(GUARD):
            return events
        raise Stuck


class Monotonic:
    """What `time` is to a module that only asks it for `monotonic`."""

    @staticmethod
    def monotonic() -> float:
        return asyncio.get_running_loop().time()


def the_loop() -> VirtualLoop:
    return cast("VirtualLoop", asyncio.get_running_loop())


def run(scene: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(scene)


def in_virtual_time(scene: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Make a coroutine function a test that runs in a loop of its own."""

    @wraps(scene)
    def test(*args: P.args, **kwargs: P.kwargs) -> None:
        run(scene(*args, **kwargs))

    return test
