"""What launchers on this machine have in common: whom code runs as, in which Python, with what it is shown."""

import asyncio
import os
from collections.abc import Sequence
from compileall import compile_dir
from pathlib import Path
from py_compile import PycInvalidationMode
from shutil import copyfile

from msgspec import Struct

from runstead.sandbox import cgroups, interpreter
from runstead.sandbox.box import NoBox
from runstead.sandbox.environment import Environment
from runstead.sandbox.policy import USER
from runstead.sandbox.warden import Warden

ETC = {
    "passwd": f"code:x:{USER}:{USER}:code:/tmp:/bin/sh\n",
    "group": f"code:x:{USER}:\n",
    "hosts": "127.0.0.1 localhost sandbox\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "ld.so.cache": "",
}
PAUSE, PATIENCE = 0.02, 500
"""Seconds between looks at a cgroup that is about to be empty, and how many."""


class Machine(Struct, frozen=True, kw_only=True):
    """What settings say about it."""

    python: str | None = None
    environment: Environment | None = None
    uids: Sequence[int] = range(65_200, 65_456)
    cgroup: Path | None = None

    async def interpreter(self) -> interpreter.Interpreter:
        """The Python that code runs in. Raises NoBox if the packages are for another one."""
        found = await interpreter.find(self.python)
        if self.environment is not None and self.environment.series != found.series:
            raise NoBox(
                f"the packages were prepared for Python {self.environment.series} and code runs in {found.series}: "
                "run `runstead sandbox prepare` again"
            )
        return found

    def packages(self) -> str:
        """What code can import beside the standard library."""
        return self.environment.describe() if self.environment is not None else ""


def lay_out(folder: Path) -> None:
    """Fill a folder with what every box is shown: the agent, and an /etc that tells nothing of this machine."""
    for name, mode in (("etc", 0o755), ("etc/alternatives", 0o755), ("tools", 0o755), ("sessions", 0o711)):
        (folder / name).mkdir()
        (folder / name).chmod(mode)  # whatever the umask says
    for name, text in ETC.items():
        (folder / "etc" / name).write_text(text, encoding="utf-8")
        (folder / "etc" / name).chmod(0o444)
    inside = Path(__file__).parent / "inside"
    tools = folder / "tools"
    for path in [inside / "runstead_figures.py", *(inside / "runstead_agent").glob("*.py")]:
        place = tools / path.relative_to(inside)
        place.parent.mkdir(exist_ok=True)
        copyfile(path, place)
    # Nobody can write there later, and each session would compile for itself.
    compile_dir(tools, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    for path in tools.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o444)


def remove_stale_groups(found: cgroups.Cgroups) -> None:
    """Remove groups of servers that are gone; not their members, who may be another namespace's."""
    alive = [path.name for path in Path("/proc").iterdir() if path.name.isdecimal()]
    for group in cgroups.stale(found, alive):
        try:
            group.rmdir()
        except OSError:
            continue


async def close(warden: Warden, found: cgroups.Cgroups) -> None:
    """End a keeper and all it keeps, and what it could not remove if it was killed."""
    token = warden.token
    await warden.close()
    for _ in range(PATIENCE):
        if not token or cgroups.remove(found, token):
            break
        await asyncio.sleep(PAUSE)


class Users:
    """Whom sessions run as, where the server is root: each as somebody of its own, who owns nothing."""

    def __init__(self, uids: Sequence[int]) -> None:
        self._free = list(uids) if os.geteuid() == 0 else []
        self.are_chosen = os.geteuid() == 0

    def take(self) -> int | None:
        """A user, or None where everybody is the server's own. Raises NoBox; never leaves anybody root."""
        if not self.are_chosen:
            return None
        if not self._free:
            raise NoBox("every user that code may run as is in use; widen RUNSTEAD_SANDBOX_UIDS")
        # The one that rested longest.
        return self._free.pop(0)

    def give_back(self, uid: int | None) -> None:
        """Let others have it; nothing of its processes is left."""
        if uid is not None:
            self._free.append(uid)
