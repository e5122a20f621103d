"""Which Python runs inside, and what it needs to be seen there: as little of the machine as it can start with."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from runstead.sandbox.box import NoBox

QUESTION = """
import json, os, site, sys, sysconfig
print(json.dumps({
    "executable": os.path.realpath(getattr(sys, "_base_executable", sys.executable)),
    "prefix": sys.base_prefix,
    "version": "%d.%d.%d" % sys.version_info[:3],
    "standard": [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib", vars={"platbase": sys.base_exec_prefix})],
    "libraries": sysconfig.get_config_var("LIBDIR") or "",
    "shared": sysconfig.get_config_var("INSTSONAME") or "",
    "triplet": sysconfig.get_config_var("MULTIARCH") or "",
    "site": [p for p in site.getsitepackages([sys.base_prefix]) if os.path.isdir(p)],
}))
"""
PATIENCE = 20.0
SYSTEM_PREFIXES = ("/usr", "/usr/local")
"""Folders that hold far more than a Python."""


class Interpreter(Struct, frozen=True):
    """A Python on this machine: where its parts lie, and its `site` folders, which are not ours to show."""

    executable: str
    prefix: str
    version: str
    standard: list[str]
    libraries: str
    shared: str
    triplet: str
    site: list[str]

    @property
    def series(self) -> str:
        """What compiled packages have to agree with: 3.11."""
        return self.version.rpartition(".")[0]

    def shown(self) -> list[str]:
        """Files and folders that have to be seen inside, at their own places."""
        paths = [self.executable, *self.standard]
        if self.prefix not in SYSTEM_PREFIXES:
            paths.append(f"{self.prefix}/lib")
        elif self.shared.startswith("libpython"):
            paths += [
                str(path) for path in sorted(Path(self.libraries).glob(f"{self.shared.partition('.so')[0]}*.so*"))
            ]
        paths += [path for path in self._system() if Path(path).is_dir()]
        return _outermost(paths)

    def hidden(self) -> list[str]:
        """Folders within those that stay empty: what else was installed for this Python, ourselves perhaps."""
        return [path for path in self.site if any(_is_below(path, one) for one in self.shown())]

    def _system(self) -> list[str]:
        # A distribution that keeps libraries by machine needs no more of /usr/lib than that.
        by_machine = f"/usr/lib/{self.triplet}"
        libraries = by_machine if self.triplet and Path(by_machine).is_dir() else "/usr/lib"
        return ["/usr/bin", libraries, "/usr/lib64"]


async def find(chosen: str | None = None) -> Interpreter:
    """The Python that was chosen, else the one that the server itself was made with. Raises NoBox."""
    try:
        process = await asyncio.create_subprocess_exec(
            chosen or sys.executable,
            "-I",
            "-c",
            QUESTION,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd="/",
            env={},
        )
        try:
            told, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise NoBox(f"{chosen or sys.executable} does not answer") from None
        return Interpreter(**json.loads(told))
    except (OSError, ValueError, TypeError) as error:
        raise NoBox(f"{chosen or sys.executable} cannot be asked what it needs: {error}") from None


def _outermost(paths: Sequence[str]) -> list[str]:
    kept: list[str] = []
    for path in sorted(set(map(os.path.normpath, paths))):
        if Path(path).exists() and not any(_is_below(path, one) for one in kept):
            kept.append(path)
    return kept


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")
