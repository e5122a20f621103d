"""Where a session's processes can be counted and bounded together, if the machine lets us.

Version 1: below our own group of each controller. Version 2: in a folder that was delegated to us, next to the group
that we are in ourselves, since a group with members cannot hand controllers on.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from runstead.sandbox.limits import Limits

PREFIX = "runstead-sandbox-"
MOUNT = Path("/sys/fs/cgroup")
PERIOD = 100_000
"""Microseconds over which a core is shared out."""
WEIGHT = 40
"""Of 100 that others have: code waits for the server, and not the reverse."""


class Group(Struct, frozen=True):
    """One cgroup to be made: what to write into it, and which of that cannot be done without."""

    path: str
    set: list[tuple[str, str]]
    needed: list[str]


class Cgroups(Struct, frozen=True):
    """The folders in which groups can be made; none where the machine does not let us."""

    version: int
    parents: dict[str, Path]

    @property
    def bound_memory(self) -> bool:
        """Whether memory is bounded for a whole session, and not only for each of its processes."""
        return "memory" in self.parents

    def groups(self, name: str, limits: Limits) -> list[Group]:
        """What has to be made for one session."""
        # Pages of its folders count, so that a session may fill them and still compute.
        memory = str(limits.memory + limits.disk)
        name = PREFIX + name
        if self.version == 2:
            if not self.parents:
                return []
            settings = [
                ("memory.max", memory),
                ("memory.swap.max", "0"),
                ("memory.oom.group", "1"),
                ("pids.max", str(limits.processes)),
                ("cpu.max", f"{PERIOD} {PERIOD}"),
                ("cpu.weight", str(WEIGHT)),
            ]
            return [Group(str(self.parents["memory"] / name), settings, ["memory.max", "pids.max"])]
        each = {
            "memory": ([("memory.limit_in_bytes", memory), ("memory.memsw.limit_in_bytes", memory)], 1),
            "pids": ([("pids.max", str(limits.processes))], 1),
            "cpu": (
                [
                    ("cpu.cfs_period_us", str(PERIOD)),
                    ("cpu.cfs_quota_us", str(PERIOD)),
                    ("cpu.shares", str(1024 * WEIGHT // 100)),
                ],
                0,
            ),
        }
        return [
            Group(
                str(parent / name), each[controller][0], [key for key, _ in each[controller][0][: each[controller][1]]]
            )
            for controller, parent in self.parents.items()
        ]


NONE = Cgroups(0, {})


def find(chosen: Path | None = None, own: str | None = None, mount: Path = MOUNT) -> Cgroups:
    """What this process may make; `chosen` is a delegated folder of version 2 that somebody named."""
    own = Path("/proc/self/cgroup").read_text(encoding="utf-8") if own is None else own
    places = dict(_places(own))
    if chosen is not None:
        return _second([chosen])
    first = {name: _existing(mount / name, places[name]) for name in ("memory", "pids", "cpu") if name in places}
    usable: dict[str, Path] = {
        name: path for name, path in first.items() if path is not None and os.access(path, os.W_OK)
    }
    if {"memory", "pids"} <= set(usable):
        return Cgroups(1, usable)
    if "" in places:
        return _second([(mount / places[""].lstrip("/")).parent])
    return NONE


def proven(cgroups: Cgroups, token: str, limits: Limits) -> Cgroups:
    """The same if groups can really be made there and take their limits, else none: permissions alone tell little."""
    groups = cgroups.groups(f"{token}-trial", limits)
    try:
        for group in groups:
            Path(group.path).mkdir()
            for name, value in group.set:
                if name in group.needed:
                    (Path(group.path) / name).write_text(value, encoding="utf-8")
    except OSError:
        return NONE
    finally:
        for group in groups:
            with suppress(OSError):
                Path(group.path).rmdir()
    return cgroups


def remove(cgroups: Cgroups, token: str) -> bool:
    """Remove groups that a killed keeper left; False while somebody is still on the way out of one."""
    left = [path for parent in set(cgroups.parents.values()) for path in parent.glob(f"{PREFIX}{token}-*")]
    for path in left:
        try:
            path.rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return True


def stale(cgroups: Cgroups, alive: Sequence[str]) -> list[Path]:
    """Groups of ours that belong to no living server."""
    found = [path for parent in set(cgroups.parents.values()) for path in parent.glob(f"{PREFIX}*")]
    return [path for path in found if path.name.removeprefix(PREFIX).partition("-")[0] not in alive]


def _places(own: str) -> list[tuple[str, str]]:
    lines = [line.split(":", 2) for line in own.splitlines() if line.count(":") >= 2]
    return [(controller, path) for _, controllers, path in lines for controller in controllers.split(",")]


def _existing(root: Path, place: str) -> Path | None:
    # In a container the path is the host's, and what is mounted begins at our own group.
    for path in (root / place.lstrip("/"), root):
        if path.is_dir():
            return path
    return None


def _second(candidates: Sequence[Path]) -> Cgroups:
    for parent in candidates:
        try:
            control = parent / "cgroup.subtree_control"
            wanted = [
                name
                for name in ("memory", "pids", "cpu")
                if name in (parent / "cgroup.controllers").read_text().split()
            ]
            missing = [f"+{name}" for name in wanted if name not in control.read_text().split()]
            if missing:
                control.write_text(" ".join(missing), encoding="utf-8")
            offered = control.read_text(encoding="utf-8").split()
        except OSError:
            continue
        if {"memory", "pids"} <= set(offered) and os.access(parent, os.W_OK):
            return Cgroups(2, dict.fromkeys(offered, parent))
    return NONE
