"""A check: one fact of the API, and a small function that finds out whether a server honours it."""

from collections.abc import Awaitable, Callable
from typing import Literal

from msgspec import Struct

from runstead.conformance.shapes import Wire
from runstead.conformance.world import World

Need = Literal["nothing", "model", "script"]
"""What has to stand behind the server: nothing, any model that answers, or the scripted one."""
Act = Callable[[World], Awaitable[None]]
BOTH: tuple[Wire, ...] = ("v1", "v2")


class Check(Struct, frozen=True):
    """Data about a check, and the check itself."""

    area: str
    fact: str
    act: Act
    needs: Need
    wires: tuple[Wire, ...]

    @property
    def name(self) -> str:
        """How results and tests call it."""
        return f"{self.area}.{getattr(self.act, '__name__', '')}"


class Area:
    """The checks of one part of the API, in the order in which they stand in its file."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.checks: list[Check] = []

    def proves(self, fact: str, *, needs: Need = "nothing", wires: tuple[Wire, ...] = BOTH) -> Callable[[Act], Act]:
        """Registers a function as the proof of a fact; it raises Unmet where the server differs."""

        def register(act: Act) -> Act:
            self.checks.append(Check(self.name, fact, act, needs, wires))
            return act

        return register
