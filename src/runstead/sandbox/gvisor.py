"""gVisor: a kernel of its own between the code and ours. The strongest of the launchers, where a recent runsc is installed.

Old releases hang now and then, and let code cut uploaded files short on this machine unless they are told not to touch
files directly; so it is told, starts are bounded in time, and the trial looks at the file afterwards.
"""

import asyncio
import json
import os
import secrets
from pathlib import Path
from typing import Any

from msgspec import structs

from runstead.sandbox import policy, staging
from runstead.sandbox.box import NoBox
from runstead.sandbox.interpreter import Interpreter
from runstead.sandbox.limits import MIB, Limits
from runstead.sandbox.local_launcher import NICE, LocalBox, LocalLauncher
from runstead.sandbox.machine import Machine
from runstead.sandbox.tail import read_tail

OVERHEAD, THREADS = 256 * MIB, 256
"""What its kernel needs for itself, beside the session's memory and processes."""
PATIENCE = 10.0
FLAGS = (
    "--rootless",
    "--network=none",
    "--ignore-cgroups",
    "--directfs=false",
    "--overlay2=none",
    "--host-uds=none",
    "--file-access-mounts=shared",
)


class Gvisor(LocalLauncher):
    """Boxes on this machine, each with a kernel of its own."""

    name = "gvisor"

    def __init__(self, program: Path, limits: Limits, place: Machine) -> None:
        super().__init__(program, limits, place)
        self._flags: list[str] = []
        self._interpreter: Interpreter | None = None
        self._reached: dict[str, str] = {}

    async def _look(self) -> None:
        self._flags = await _known_flags(self._program)

    async def _show(self, chosen: Interpreter) -> None:
        self._interpreter = chosen
        environment = self._machine.environment
        packages = [str(environment.folder)] if environment is not None else []
        self._reached = await self._reach([*chosen.shown(), *packages])

    async def _open(self) -> LocalBox:
        if self._interpreter is None:
            raise AssertionError("what boxes share is prepared first")
        outer = structs.replace(
            self._limits, memory=self._limits.memory + OVERHEAD, processes=self._limits.processes + THREADS
        )
        uid = self._users.take()
        name = f"{self._warden.token}-{secrets.token_hex(8)}"
        folder = self._warden.folder / "sessions" / name
        its_source, our_sink = os.pipe2(os.O_CLOEXEC)
        our_source, its_sink = os.pipe2(os.O_CLOEXEC)
        words, told = os.pipe2(os.O_CLOEXEC)
        tail = asyncio.create_task(read_tail(words))
        try:
            originals = staging.make(folder, uid)
            self._bundle(self._interpreter, folder, originals, os.getuid() if uid is None else uid)
            kept = await self._warden.spawn(
                [
                    "runsc",
                    f"--root={folder / 'state'}",
                    *self._flags,
                    "run",
                    f"--bundle={folder / 'bundle'}",
                    f"runstead-{name}",
                ],
                [its_source, its_sink, told, self._executable],
                uid=uid,
                nice=NICE,
                cgroups=self._cgroups.groups(name, outer),
                folders=[folder],
                watched_memory=0 if self._cgroups.bound_memory else outer.memory + outer.disk,
                env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "TMPDIR": str(folder / "state")},
            )
        except (NoBox, OSError) as error:
            os.close(our_sink)
            os.close(our_source)
            self._users.give_back(uid)
            raise NoBox(str(error)) from error
        finally:
            for descriptor in (its_source, its_sink, told):
                os.close(descriptor)
        kept.ending.add_done_callback(lambda _: self._users.give_back(uid))
        # Two pipes are all that gets through.
        return LocalBox(kept, originals, await _streams(our_source, our_sink), tail)

    def _bundle(self, chosen: Interpreter, folder: Path, originals: Path, user: int) -> None:
        """Write what the runtime wants to know of one session."""
        bundle = folder / "bundle"
        for path in (bundle, bundle / "root", folder / "state"):
            path.mkdir()
            path.chmod(0o755)
        config = self._config(chosen, originals)
        for mount in config["mounts"]:
            _place(bundle / "root", mount)
        if self._users.are_chosen:
            # It keeps its state in the one, and opens the places of mounts in the other.
            for path in (folder / "state", bundle / "root", *(bundle / "root").rglob("*")):
                os.chown(path, user, user)
        (bundle / "config.json").write_text(json.dumps(config), encoding="utf-8")
        (bundle / "config.json").chmod(0o444)

    def _config(self, chosen: Interpreter, originals: Path) -> dict[str, Any]:
        limits, environment = self._limits, self._machine.environment
        tools = self._warden.folder
        shown = {path: self._reached.get(path, path) for path in chosen.shown()}
        shown |= {policy.ORIGINALS: str(originals), policy.TOOLS: str(tools / "tools"), "/etc": str(tools / "etc")}
        if environment is not None:
            shown[policy.PACKAGES] = self._reached.get(str(environment.folder), str(environment.folder))
        for name in ("/bin", "/lib", "/lib64"):
            if Path(name).is_dir():
                shown[name] = str(Path(name).resolve())
        variables = policy.environment(chosen.executable)
        return {
            "ociVersion": "1.0.2",
            "hostname": "sandbox",
            "root": {"path": "root", "readonly": True},
            "process": {
                "terminal": False,
                # Whoever runs it is 0 in there; the group alone lets code read its originals.
                "user": {"uid": policy.USER, "gid": 0},
                "args": policy.command(chosen.executable),
                "env": [f"{key}={value}" for key, value in variables.items()],
                "cwd": policy.DATA,
                "noNewPrivileges": True,
                "capabilities": {},
            },
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "dev", "source": "dev"},
                _memory("/tmp", limits.scratch, "1777"),  # noqa: S108 - inside
                _memory(policy.DATA, limits.disk, "1777"),
                _memory("/dev/shm", limits.shared, "1777"),  # noqa: S108 - inside
                *(_shown(place, source) for place, source in shown.items()),
                *(_memory(place, 4096, "0755") for place in chosen.hidden()),
            ],
            "linux": {"namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")]},
        }


async def _known_flags(program: Path) -> list[str]:
    """Those of our flags that this release has: what an old one cannot be told not to do, it may not do. The trial sees."""
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            "flags",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        told, also = await asyncio.wait_for(process.communicate(), PATIENCE)
    except (OSError, TimeoutError) as error:
        raise NoBox(f"{program} cannot be asked for its flags: {error}") from None
    known = {
        line.split()[0].lstrip("-")
        for line in (told + also).decode("utf-8", "replace").splitlines()
        if line.strip()[:1] == "-"
    }
    if "rootless" not in known:
        raise NoBox(f"{program} is no runsc that can run without root")
    return [flag for flag in FLAGS if flag.lstrip("-").partition("=")[0] in known]


def _memory(place: str, size: int, mode: str) -> dict[str, Any]:
    return {"destination": place, "type": "tmpfs", "source": "tmpfs", "options": [f"size={size}", f"mode={mode}"]}


def _place(root: Path, mount: dict[str, Any]) -> None:
    """Make the place of a mount, so that nobody has to make it in a root that is closed already."""
    place = root / str(mount["destination"]).lstrip("/")
    # Files are shown at their own places; their sources may lie where only the keeper sees them.
    if mount["type"] == "bind" and Path(mount["destination"]).is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    else:
        place.mkdir(parents=True, exist_ok=True)


def _shown(place: str, source: str) -> dict[str, Any]:
    return {"destination": place, "type": "bind", "source": source, "options": ["ro", "rbind"]}


async def _streams(source: int, sink: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await loop.connect_read_pipe(lambda: protocol, os.fdopen(source, "rb", 0))
    transport, flow = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(sink, "wb", 0))
    return reader, asyncio.StreamWriter(transport, flow, reader, loop)
