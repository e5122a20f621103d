"""Every order of what can happen in a small world, with a few misfortunes anywhere: nothing is left to dice.

A choice is made wherever nobody can go on by himself. A path of choices is a story; stories are lived again from their
beginning with one choice changed, because coroutines cannot be copied. What was met before in the same state is not
followed twice. Reads are answered at once: what may come between a read and the write that it led to is the write's
place in the order, which is chosen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import Struct

from tests.simulation.chaos import Chaos
from tests.simulation.fingerprint import fingerprint
from tests.simulation.line import Request
from tests.simulation.model import BY_NAME, HELLO, Script
from tests.simulation.process import Means
from tests.simulation.scripted_clients import ScriptedClients
from tests.simulation.tools import DEED, PROMPT, Deed
from tests.simulation.witness import Broken
from tests.simulation.world import World

LATE = 8.0
"""Seconds by which something is late: longer than any lease."""
ENDS_WITHIN = 30.0
"""Seconds after the last deed or misfortune within which everything has ended."""
CLIENTS_WAIT = 2.0
"""Seconds for which clients may put off what they mean to do."""


class Small(Struct, frozen=True):
    """A world small enough to be known whole."""

    name: str
    processes: int = 2
    faults: int = 1
    scripts: tuple[str, ...] = ()
    deeds: tuple[str, ...] = ()
    creates: int = 1
    cancels: bool = False
    deletes: bool = False
    expires_after: int = 600
    seats: bool = True


class Seen(Exception):
    """This state was met before."""


class Option(Struct, frozen=True):
    label: str
    act: Callable[[], None]
    is_fault: bool = False


class Explorer:
    """See network.Network: everything that is sent waits until it is chosen."""

    def __init__(self, world: World, small: Small, kill: Callable[[int], None]) -> None:
        self._world = world
        self._kill = kill
        self._scripts = [BY_NAME[name] for name in small.scripts]
        self._deeds = [DEED[name] for name in small.deeds]
        self.pending: list[tuple[str, Callable[[], None], Request | None]] = []
        self.late = 0

    @property
    def is_quiet(self) -> bool:
        return not self.pending and not self.late

    def send(self, request: Request) -> None:
        if not request.is_write:
            request.carry_out()
            request.answer()
            return

        def happen() -> None:
            request.carry_out()
            request.answer()

        self.pending.append((request.told(), happen, request))

    def post(self, label: str, deliver: Callable[[], None]) -> None:
        self.pending.append((label, deliver, None))

    def script(self) -> Script:
        return self._scripts.pop(0) if self._scripts else HELLO

    def deed(self) -> Deed:
        return self._deeds.pop(0) if self._deeds else PROMPT

    async def silence(self, process: int, seconds: float) -> None:
        if seconds:
            await asyncio.sleep(seconds)
            return
        beat = self._world.loop.create_future()
        self.pending.append((f"p{process} hears", lambda: None if beat.done() else beat.set_result(None), None))
        await beat

    def options(self, *, with_faults: bool) -> list[Option]:
        found = []
        for entry in self.pending:
            label, act, _ = entry
            found.append(Option(label, self._taking(entry, act)))
        if with_faults:
            for entry in self.pending:
                found += self._misfortunes(entry)
        return found

    def _taking(self, entry: tuple[str, Callable[[], None], Request | None], act: Callable[[], object]) -> Any:
        def take() -> None:
            self.pending.remove(entry)
            act()

        return take

    def _misfortunes(self, entry: tuple[str, Callable[[], None], Request | None]) -> list[Option]:
        label, _, request = entry
        if label.endswith("hears"):
            return []
        if request is None:
            return [Option(f"{label} is lost", self._taking(entry, lambda: None), is_fault=True)]
        process = request.process

        def late() -> None:
            self.late += 1

            def arrive() -> None:
                self.late -= 1
                request.carry_out()
                request.answer()

            self._world.in_(LATE, arrive)

        def crash_behind() -> None:
            request.carry_out()
            self._kill(process)

        def unheard() -> None:
            request.carry_out()
            request.fail()

        return [
            Option(f"{label}: the answer is lost", self._taking(entry, unheard), is_fault=True),
            Option(f"{label}: comes {LATE} s late", self._taking(entry, late), is_fault=True),
            Option(f"{label}: p{process} dies of it", self._taking(entry, crash_behind), is_fault=True),
        ]


class Path:
    """One story: the choices to make, then the first of each; and what there was to choose from."""

    def __init__(self, small: Small, choices: list[int], seen: set[Any], trace: list[str] | None = None) -> None:
        self.small = small
        self.trail: list[int] = []
        self.widths: list[int] = []
        self._choices = choices
        self._seen = seen
        self._faults = small.faults
        self._last_deed = 0.0
        self.world = World(trace)

    def live(self) -> str | None:
        """What broke, if something did."""
        world = self.world
        with world.loop:
            try:
                self._live()
            except Seen:
                return None
            except AssertionError as error:
                return f"{type(error).__name__}: {error}"
            finally:
                world.trace, world.loop.tell = None, None
                world.witness.is_over = True
        return None

    def _live(self) -> None:
        world, small = self.world, self.small
        world.is_alone = small.processes == 1
        if world.trace is not None:
            world.loop.tell = world.tell
        if small.deeds:
            world.give_tools()
        network = world.network = Explorer(world, small, self._kill)
        world.chaos = Chaos(world, [])
        clients = world.clients = ScriptedClients(world, small)
        means = Means(2 if small.seats else 0, small.expires_after)
        world.start_process(means)
        for late in range(1, small.processes):
            # Whoever answers has no room, if so wished: then runs travel by offers.
            world.in_(0.3 * late, lambda: world.start_process(Means(2, small.expires_after)))
        while True:
            world.loop.settle()
            if world.loop.errors:
                raise Broken(f"nobody foresaw this: {world.loop.errors}") from world.loop.errors[0].get("exception")
            if clients.is_content and not world.witness.active and network.is_quiet and not world.loop.held:
                break
            if world.loop.now > self._last_deed + ENDS_WITHIN:
                break
            self._choose(network, clients)
        world.witness.judge_the_end()
        world.witness.judge_the_stories()

    def _choose(self, network: Explorer, clients: ScriptedClients) -> None:
        world = self.world
        options = network.options(with_faults=self._faults > 0)
        options += [Option(label, act) for label, act in clients.options()]
        if not network.pending:
            when = world.loop.next_timer()
            if when is not None and (clients.is_content or world.loop.now < self._last_deed + CLIENTS_WAIT):
                # First: whatever else there is to choose may also happen later.
                options.insert(0 if clients.is_content else len(options), Option("time passes", world.loop.tick))
        if self._faults:
            options += self._blows()
        if not options:
            raise Broken("nothing can happen any more")
        at = len(self.trail)
        if at < len(self._choices):
            choice = self._choices[at]
        else:
            choice = 0
            if len(options) > 1:
                state = fingerprint(world, self._faults, network, clients)
                if state in self._seen:
                    raise Seen
                self._seen.add(state)
        option = options[choice]
        self.trail.append(choice)
        self.widths.append(len(options))
        if option.label != "time passes":
            if option.is_fault or option.label.startswith("a client"):
                self._last_deed = world.loop.now
            world.tell(f"{'!!' if option.is_fault else '--'} {option.label}")
        if option.is_fault:
            self._faults -= 1
        option.act()

    def _blows(self) -> list[Option]:
        """What may happen to a process between any two of its steps."""
        world, found = self.world, []
        for process in world.processes.values():
            number = process.number
            if process.is_alive and number not in world.loop.held and process.has_much_to_lose:
                found.append(Option(f"p{number} dies", partial(self._kill, number), is_fault=True))
                found.append(Option(f"p{number} stands still", partial(self._stall, number), is_fault=True))
        return found

    def _kill(self, number: int) -> None:
        world = self.world
        world.kill(number)
        if not any(process.is_alive and process.means.capacity for process in world.processes.values()):
            world.in_(1.0, self._restart(number))

    def _restart(self, number: int) -> Callable[[], None]:
        def restart() -> None:
            self.world.start_process(self.world.processes[number].means)

        return restart

    def _stall(self, number: int) -> None:
        self.world.loop.stop(number)
        self.world.in_(LATE, lambda: self.world.loop.resume(number))
