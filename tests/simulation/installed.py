"""What the engine takes from its modules and not from its arguments: the monotonic clock, jitter, and the log."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from runstead.executor import heartbeat, lease, model_call, reconciler, run_driver, tool_call, worker
from runstead.tools import code_sessions
from tests.simulation.loop import Loop
from tests.simulation.model import Bug

MODULES: tuple[ModuleType, ...] = (
    code_sessions,
    heartbeat,
    lease,
    model_call,
    reconciler,
    run_driver,
    tool_call,
    worker,
)


def _loop() -> Loop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Loop)
    return loop


class Time:
    @staticmethod
    def monotonic() -> float:
        return _loop().now


class Jitter:
    @staticmethod
    def uniform(low: float, high: float) -> float:
        return low + (high - low) * _loop().throw()


class Log:
    """The engine's log becomes a part of the trace; what nobody foresaw breaks the world."""

    def _tell(self, what: str, **facts: Any) -> None:
        if (tell := _loop().tell) is not None:
            tell(f"   ({what} {facts})")

    debug = info = warning = _tell

    def exception(self, what: str, **facts: Any) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, Bug):
            _loop().errors.append({"message": what, "exception": error})
        self._tell(what, **facts)


STANDINS: dict[str, Any] = {"time": Time, "random": Jitter, "log": Log()}


@contextmanager
def standins() -> Iterator[None]:
    """While this lasts the engine lives in whichever world is running."""
    was = [(module, name, getattr(module, name)) for module in MODULES for name in STANDINS if hasattr(module, name)]
    for module, name, _ in was:
        setattr(module, name, STANDINS[name])
    try:
        yield
    finally:
        for module, name, original in was:
            setattr(module, name, original)
