"""A process's line to the database: every question is a request that arrives, is carried out and is answered, or not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runstead.domain.change import Change
from runstead.domain.errors import RunsteadError, Unavailable

if TYPE_CHECKING:
    from tests.simulation.world import World


class Request:
    """One question on its way. What may happen to it is decided by the world's network."""

    def __init__(self, world: World, process: int, name: str, args: tuple[Any, ...], now: float) -> None:
        self.process = process
        self.name = name
        self.args = args
        self.future: asyncio.Future[Any] = world.loop.create_future()
        self.sent_at = world.loop.now
        self.carried_out_at: float | None = None
        self._now = now
        self._world = world
        self._answer: Any = None
        self._refusal: RunsteadError | None = None

    @property
    def is_write(self) -> bool:
        return self.name in ("commit", "renew", "renew_code_sessions")

    def told(self) -> str:
        """The request in a few words."""
        return f"p{self.process} {self.name} {described(self.args[0]) if self.name == 'commit' else ''}".rstrip()

    def carry_out(self) -> None:
        """At the database, at one moment: the whole of it or nothing."""
        world = self._world
        self.carried_out_at = world.loop.now
        try:
            if self.name == "commit":
                change: Change = self.args[0]
                world.database.commit(change, self._now)
                # Told before it is judged: what breaks a promise is the last thing that a trace shows.
                self._tell("done")
                world.witness.committed(self.process, change)
            else:
                self._answer = getattr(world.database, self.name)(*self.args)
                if self.name == "renew":
                    self._tell("done")
                    world.witness.renewed()
        except RunsteadError as refusal:
            self._refusal = refusal
            if self.is_write:
                self._tell(f"refused, {refusal}")

    def _tell(self, outcome: str) -> None:
        if self._world.trace is not None:
            self._world.tell(f"{self.told()}: {outcome}")

    def answer(self) -> None:
        """The process hears what came of it, if it still listens."""
        if self.future.done():
            return
        if self._refusal is not None:
            self.future.set_exception(self._refusal)
        else:
            assert self.carried_out_at is not None
            self._world.processes[self.process].clock.told(self.sent_at, self.carried_out_at)
            self.future.set_result(self._answer)

    def fail(self) -> None:
        """The process is told that nobody knows."""
        if not self.future.done():
            self.future.set_exception(Unavailable("The line broke."))


class Line:
    """ports.Store, as far as the engine asks it."""

    def __init__(self, world: World, process: int, clock: Any) -> None:
        self._world = world
        self._process = process
        self._clock = clock

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def ask(*args: Any) -> Any:
            request = Request(self._world, self._process, name, args, self._clock.now())
            self._world.network.send(request)
            return await request.future

        setattr(self, name, ask)
        return ask


def described(change: Change) -> str:
    """A change in a few words, for a trace."""
    return " + ".join(_write(write) for write in change.writes)


def _write(write: Any) -> str:
    name = type(write).__name__
    record = getattr(write, "record", None)
    if record is None:
        return name
    if hasattr(record, "step"):
        return f"{name}({record.step.type} {record.step.status})"
    was = getattr(write, "was", None)
    before = "" if was is None else f"{was.run.status} {was.owner} e{was.epoch} -> "
    return f"{name}({record.run.id}: {before}{record.run.status} {record.owner} e{record.epoch})"
