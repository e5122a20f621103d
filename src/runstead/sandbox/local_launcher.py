"""What the launchers of this machine share: one keeper for all their boxes, users, groups, and a box that the keeper keeps."""

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from pathlib import Path

from runstead.sandbox import cgroups, machine, staging
from runstead.sandbox.box import Ending, NoBox
from runstead.sandbox.interpreter import Interpreter
from runstead.sandbox.limits import Limits
from runstead.sandbox.machine import Machine, Users
from runstead.sandbox.warden import Kept, Warden, sweep

NICE = 19
"""Where no cgroup shares the processor out, this does: sixty loops together weigh as much as the server."""


class LocalBox:
    """A box that the keeper keeps; its line is all that gets through."""

    def __init__(
        self,
        kept: Kept,
        originals: Path,
        line: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        tail: "asyncio.Task[bytes]",
    ) -> None:
        self._kept, self._tail, self._originals = kept, tail, originals
        self.originals: Path | None = originals
        self.reader, self.writer = line

    async def stage(self, key: str, contents: AsyncIterator[bytes]) -> None:
        await staging.stage(self._originals, key, contents)

    async def ended(self, within: float) -> Ending:
        self.writer.close()
        done, _ = await asyncio.wait([self._kept.ending], timeout=within)
        if not done:
            self._kept.kill()
        ending = await asyncio.shield(self._kept.ending)
        words = (await self._tail).decode("utf-8", "replace").strip()
        return Ending(ending.code, ending.ran_out_of_memory, words)


class LocalLauncher(ABC):
    """Boxes on this machine. What is peculiar to one way of making them is in `_look` and `_open`."""

    def __init__(self, program: Path, limits: Limits, place: Machine) -> None:
        self._program, self._limits, self._machine = program, limits, place
        self._users = Users(place.uids)
        self._warden = Warden()
        self._cgroups = cgroups.find(place.cgroup)
        self._executable = -1
        self._version = ""
        self._opening = asyncio.Lock()

    async def open(self) -> LocalBox:
        async with self._opening:
            if not self._warden.is_running:
                await self._prepare()
        return await self._open()

    @abstractmethod
    async def _look(self) -> None:
        """Find out what can be known before there is a keeper. Raises NoBox."""

    @abstractmethod
    async def _show(self, chosen: Interpreter) -> None:
        """Settle what every box is shown, once there is a keeper. Raises OSError."""

    @abstractmethod
    async def _open(self) -> LocalBox:
        """A box by the keeper that runs. Raises NoBox."""

    @property
    def python(self) -> str:
        return self._version

    @property
    def packages(self) -> str:
        return self._machine.packages()

    def lacks(self) -> str | None:
        if self._cgroups.bound_memory:
            return None
        return "no cgroup may be made, so memory is watched and not bounded"

    async def close(self) -> None:
        await machine.close(self._warden, self._cgroups)
        if self._executable >= 0:
            os.close(self._executable)
            self._executable = -1

    async def _prepare(self) -> None:
        """What all boxes share. Raises NoBox."""
        chosen = await self._machine.interpreter()
        self._version = chosen.version
        await self._look()
        # A keeper that died has left its folder.
        await machine.close(self._warden, self._cgroups)
        sweep()
        await self._warden.start()
        try:
            if self._executable < 0:
                self._executable = os.open(self._program, os.O_RDONLY | os.O_CLOEXEC)
            machine.lay_out(self._warden.folder)
            self._cgroups = cgroups.proven(self._cgroups, self._warden.token, self._limits)
            machine.remove_stale_groups(self._cgroups)
            await self._show(chosen)
        except OSError as error:
            await machine.close(self._warden, self._cgroups)
            raise NoBox(f"{error.filename or self._program} cannot be used: {error.strerror}") from None

    async def _reach(self, places: list[str]) -> dict[str, str]:
        """Where a user of its own finds what lies where it may not look; nothing is moved for the server's own user."""
        return await self._warden.reach(places) if self._users.are_chosen else {}
