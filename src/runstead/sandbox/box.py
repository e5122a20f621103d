"""What a launcher is asked for: a box with Python in it, and a line to that Python."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from runstead.domain.errors import RunsteadError


class NoBox(RunsteadError):
    """A launcher could not make a box; says why, and what would help."""


class Ending(Struct, frozen=True):
    """How a box ended: its exit code, whether its memory limit did it, and the last words of its launcher."""

    code: int | None = None
    ran_out_of_memory: bool = False
    words: str = ""


class Box(Protocol):
    """One Python behind its walls. The line is only as good as `protocol` makes it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def stage(self, key: str, contents: AsyncIterator[bytes]) -> None:
        """Make a file readable inside as /mnt/originals/KEY, for this box alone. Raises NoBox."""

    originals: Path | None
    """Where its originals lie on this machine, if they do."""

    async def ended(self, within: float) -> Ending:
        """Wait until it has ended by itself, as long as that; then end it. Nothing of it is left afterwards."""


class Launcher(Protocol):
    """Makes boxes in one way."""

    name: str

    async def open(self) -> Box:
        """A new box. Raises NoBox."""

    @property
    def python(self) -> str:
        """The version of the Python in its boxes."""

    @property
    def packages(self) -> str:
        """What that Python can import beside its standard library; empty if nothing."""

    def lacks(self) -> str | None:
        """What keeps this launcher below its best, in a sentence for the operator."""

    async def close(self) -> None:
        """End what serves all boxes, and leave nothing behind."""
