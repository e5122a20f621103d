"""What becomes of what is sent, by the throw of dice: at once, late, twice, not at all, or with its answer lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from tests.simulation.line import Request
from tests.simulation.model import HELLO, SCRIPTS, TOOL_SCRIPTS, Script
from tests.simulation.tools import DEEDS, PROMPT, Deed

if TYPE_CHECKING:
    from tests.simulation.world import World


class Network(Protocol):
    """Where the world decides. An exhaustive search decides otherwise than dice."""

    def send(self, request: Request) -> None:
        """A process asks the database something."""

    def post(self, label: str, deliver: Callable[[], None]) -> None:
        """A process tells others something that may be lost."""

    def script(self) -> Script:
        """What the model says next."""

    def deed(self) -> Deed:
        """What comes of the next call of a tool."""

    async def silence(self, process: int, seconds: float) -> None:
        """The model takes its time."""

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is on its way."""


class Weather(Struct, frozen=True):
    """How often things go wrong, from 0 to 1."""

    late_request: float
    late_answer: float
    given_up: float
    lost_post: float
    late_post: float
    double_post: float
    suspends: float
    only_hello: float


FAIR = Weather(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 1.0)


class Dice:
    """See Network."""

    def __init__(self, world: World, rng: Random, weather: Weather) -> None:
        self._world = world
        self._loop = world.loop
        self._throw = rng.random
        self._rng = rng
        self.weather = weather
        self._on_the_way = 0

    @property
    def is_quiet(self) -> bool:
        return self._on_the_way == 0

    def _later(self, delay: float, act: Callable[[Request], None], request: Request) -> None:
        self._on_the_way += 1

        def arrive() -> None:
            self._on_the_way -= 1
            act(request)

        if delay:
            self._loop.call_later(delay, arrive, context=self._world.outside)
        else:
            self._loop.call_soon(arrive, context=self._world.outside)

    def send(self, request: Request) -> None:
        weather, throw = self.weather, self._throw
        if request.is_write or throw() < weather.suspends or request.process in self._world.chaos.cut_off:
            there = self._delay(weather.late_request)
            if throw() < weather.given_up:
                # Whoever asks stops waiting; the request does not know that.
                self._later(3.0 * throw(), Request.fail, request)
            self._later(there, self._arrive, request)
        else:
            request.carry_out()
            request.answer()

    def _delay(self, late: float) -> float:
        throw = self._throw
        if late and throw() < late:
            return 12.0 * throw()
        return 0.0 if throw() < 0.6 else 0.2 * throw() * throw()

    def _arrive(self, request: Request) -> None:
        chaos = self._world.chaos
        if request.process in chaos.cut_off:
            self._later(2.0 * self._throw(), Request.fail, request)
            return
        if request.is_write:
            chaos.count_write(request.process, is_done=False)
        request.carry_out()
        if request.is_write:
            chaos.count_write(request.process, is_done=True)
        answer = Request.fail if request.process in chaos.unheard else Request.answer
        self._later(self._delay(self.weather.late_answer), answer, request)

    def post(self, label: str, deliver: Callable[[], None]) -> None:
        weather, throw = self.weather, self._throw
        if self._world.post_office.is_deaf or (weather.lost_post and throw() < weather.lost_post):
            return
        for _ in range(2 if weather.double_post and throw() < weather.double_post else 1):
            delay = 15.0 * throw() if weather.late_post and throw() < weather.late_post else 0.01 * throw()
            self._loop.call_later(delay, deliver, context=self._world.outside)

    def script(self) -> Script:
        if self._throw() < self.weather.only_hello:
            return HELLO
        return self._rng.choice(TOOL_SCRIPTS if self._throw() < self._world.wants_tools else SCRIPTS)

    def deed(self) -> Deed:
        return PROMPT if self._throw() < max(0.3, self.weather.only_hello) else self._rng.choice(DEEDS)

    async def silence(self, process: int, seconds: float) -> None:
        if seconds:
            await asyncio.sleep(seconds)
        elif self._throw() < 0.4:
            await asyncio.sleep(0.1 * self._throw())
