"""What happens to processes and lines, and when: at a moment, or at the n-th write, where it hurts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from tests.simulation.world import World

Kind = Literal["crash", "stall", "drain", "cut off", "unheard", "database down", "bus down"]
KINDS: tuple[Kind, ...] = (
    "crash",
    "crash",
    "crash",
    "stall",
    "stall",
    "drain",
    "cut off",
    "unheard",
    "database down",
    "bus down",
)
LAST_WRITE = 14


class Fault(Struct, frozen=True):
    """One misfortune. `at` is a moment; `write` the number of a write, counted over all processes, before or after it."""

    kind: Kind
    lasts: float
    at: float | None
    write: int = 0
    is_done: bool = False
    after_steps: int = 0
    victim: int = 0


def a_fault(rng: Random) -> Fault:
    kind = rng.choice(KINDS)
    lasts = rng.choice((0.5, 3.0, 5.0, 7.0, 12.0)) * (0.5 + rng.random())
    if rng.random() < 0.35:
        return Fault(kind, lasts, at=8.0 * rng.random(), after_steps=rng.randrange(3), victim=rng.randrange(3))
    return Fault(
        kind,
        lasts,
        at=None,
        write=rng.randrange(1, LAST_WRITE),
        is_done=rng.random() < 0.6,
        after_steps=rng.randrange(12),
        victim=rng.choice((0, 0, 0, 1)),
    )


class Chaos:
    def __init__(self, world: World, faults: list[Fault]) -> None:
        self._world = world
        self._faults = faults
        self._by_write = {(fault.write, fault.is_done): fault for fault in faults if fault.at is None}
        self._writes = 0
        self.cut_off: set[int] = set()
        self.unheard: set[int] = set()

    def begin(self) -> None:
        for fault in self._faults:
            if fault.at is not None:
                self._world.in_(fault.at, partial(self._strike, fault, None))

    def count_write(self, process: int, *, is_done: bool) -> None:
        """A write of this process is about to be carried out, or just was."""
        if not is_done:
            self._writes += 1
        fault = self._by_write.pop((self._writes, is_done), None) if self._by_write else None
        if fault is not None:
            self._strike(fault, process)

    def _strike(self, fault: Fault, issuer: int | None) -> None:
        world = self._world
        victims = [p.number for p in world.processes.values() if p.is_alive]
        if not victims or world.is_healed:
            return
        victim = issuer if issuer in victims and fault.victim == 0 else victims[fault.victim % len(victims)]
        world.tell(f"!! {fault.kind} (p{victim}, {fault.lasts:.1f} s, {fault.after_steps} steps from now)")
        match fault.kind:
            case "crash":
                world.loop.doom(victim, fault.after_steps, lambda: self._crash(victim, fault.lasts))
            case "stall":
                world.loop.doom(victim, fault.after_steps, lambda: self._stall(victim, fault.lasts))
            case "drain":
                self._drain(victim, fault.lasts)
            case "cut off":
                self._for(fault.lasts, self.cut_off, {victim})
            case "unheard":
                self._for(fault.lasts, self.unheard, {victim})
            case "database down":
                self._for(fault.lasts, self.cut_off, set(victims))
            case "bus down":
                world.post_office.is_deaf = True
                world.in_(fault.lasts, lambda: setattr(world.post_office, "is_deaf", False))

    def _crash(self, victim: int, down_for: float) -> None:
        world = self._world
        world.kill(victim)
        world.in_(down_for, lambda: self._restart(victim))

    def _restart(self, victim: int) -> None:
        process = self._world.processes[victim]
        if process.is_alive:
            # It could not leave in time: somebody's patience is over.
            self._world.kill(victim)
        # Two may not be alone.
        if not (self._world.is_alone and any(other.is_alive for other in self._world.processes.values())):
            self._world.start_process(process.means)

    def failed_to_start(self, process: int) -> Callable[[], None]:
        """What becomes of a process that gave up at its start."""
        return lambda: self._crash(process, 1.0)

    def _stall(self, victim: int, lasts: float) -> None:
        loop = self._world.loop
        loop.stop(victim)
        self._world.tell(f"p{victim} stands still")

        def resume() -> None:
            self._world.tell(f"p{victim} goes on")
            loop.resume(victim)

        self._world.in_(lasts, resume)

    def _drain(self, victim: int, down_for: float) -> None:
        world = self._world
        process = world.processes[victim]
        if process.is_listening:
            process.drain(lambda: world.kill(victim))
            world.in_(4.0 + down_for, lambda: self._restart(victim))

    def _for(self, seconds: float, whom: set[int], victims: set[int]) -> None:
        whom |= victims
        self._world.in_(seconds, lambda: whom.difference_update(victims))

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        self._by_write.clear()
        self.cut_off.clear()
        self.unheard.clear()
        self._world.loop.doomed.clear()
