"""All paths through a small world, deepest first, until there are none left or enough states were seen."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from tests.simulation.exploring import Path, Small

WORLDS = (
    Small("one run"),
    Small("one run, two faults", faults=2),
    Small("one run that is cancelled", cancels=True),
    Small("one run by way of an offer", seats=False),
    Small("one run that calls tools", scripts=("calls",)),
    Small("one run longer than a lease", scripts=("slower than a lease",)),
    Small("one run in one process", processes=1, faults=2),
    Small("one run that meets its deadline", expires_after=5, scripts=("slower than a lease",)),
    Small("two runs", creates=2),
    Small("one run that runs code", scripts=("runs code",), deeds=("prompt",)),
    Small("one run whose code outlives its lease", scripts=("runs code",), deeds=("longer than a lease",)),
    Small("one run that meets its deadline in a tool", scripts=("runs code",), deeds=("hangs",), expires_after=5),
    Small("one run that runs code and calls", scripts=("runs code and calls",), deeds=("prompt",)),
)
LARGER = (
    Small(
        "one run that runs code for a while and is cancelled", scripts=("runs code",), deeds=("a while",), cancels=True
    ),
    Small(
        "one run that runs code and calls, two faults", scripts=("runs code and calls",), deeds=("prompt",), faults=2
    ),
    Small(
        "one run that calls three tools",
        scripts=("runs code twice and searches",),
        deeds=("prompt", "mute", "prompt"),
        cancels=True,
    ),
    Small("one run that runs code, two faults", scripts=("runs code",), deeds=("prompt",), faults=2),
    Small("one run whose thread is deleted", deletes=True),
    Small("one run of two rounds that is cancelled", scripts=("calls nobody after a moment",), cancels=True),
    Small("one run that calls tools, two faults", scripts=("calls",), faults=2),
    Small("two runs, two faults", creates=2, faults=2),
    Small("one run in three processes", processes=3, faults=2),
)
"""For when there is time."""


class Found(Struct, frozen=True):
    """What a search came to. `choices` lead to what broke, if something did."""

    paths: int
    states: int
    is_complete: bool
    broken: str | None = None
    choices: list[int] = []


def search(small: Small, most_states: int) -> Found:
    """Live through every path until something breaks."""
    seen: set[Any] = set()
    paths = 0
    left: list[list[int]] = [[]]
    while left:
        if len(seen) >= most_states:
            return Found(paths, len(seen), is_complete=False)
        path = Path(small, left.pop(), seen)
        begun = len(path._choices)
        broken = path.live()
        paths += 1
        if broken is not None:
            return Found(paths, len(seen), is_complete=False, broken=broken, choices=path.trail)
        left.extend(_others(path.trail, path.widths, begun))
    return Found(paths, len(seen), is_complete=True)


def _others(trail: list[int], widths: list[int], begun: int) -> Iterator[list[int]]:
    """The same beginnings with another last choice."""
    for at in range(begun, len(trail)):
        for choice in range(1, widths[at]):
            yield [*trail[:at], choice]


def told(small: Small, choices: list[int]) -> list[str]:
    """The story behind some choices."""
    trace: list[str] = []
    Path(small, choices, set(), trace).live()
    return trace
