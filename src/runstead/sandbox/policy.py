"""The walls, as bubblewrap is told to build them. The order matters: what is mounted later covers what came before."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from runstead.sandbox.limits import Limits

USER = 1000
DATA, ORIGINALS, TOOLS, PACKAGES = "/mnt/data", "/mnt/originals", "/opt/runstead", "/opt/packages"
SECCOMP_DESCRIPTOR = 4
AGENT = "from runstead_agent.cells import main; main()"

TOLD_BY_PROC = (
    "kcore",
    "keys",
    "key-users",
    "sysrq-trigger",
    "timer_list",
    "sched_debug",
    "kallsyms",
    "modules",
    "config.gz",
)
"""Files of /proc that tell of the whole machine."""
FOLDERS_OF_PROC = ("sys", "acpi", "scsi", "bus", "irq", "fs", "driver")
"""Folders of /proc that steer it. bubblewrap looks after some of them, and misses those that real root may write."""


ALWAYS_SET = {
    "HOME": "/tmp",  # noqa: S108
    "LANG": "C.UTF-8",
    "PYTHONPATH": f"{PACKAGES}:{TOOLS}",
    "PYTHONDONTWRITEBYTECODE": "1",
    "MPLBACKEND": "module://runstead_figures",
    "MPLCONFIGDIR": "/tmp/.matplotlib",  # noqa: S108
    # One core each: a pool of threads per library would only wait for it.
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"),
}
VARIABLES = ("PATH", *ALWAYS_SET)


class Layout(Struct, frozen=True):
    """What is shown inside: places in there, and where on this machine they come from."""

    python: str
    shown: Mapping[str, str]
    hidden: list[str]
    etc: str
    tools: str
    packages: str | None


def arguments(layout: Layout, originals: str, limits: Limits) -> list[str]:
    """The arguments for one session."""
    return [
        "bwrap",
        *("--unshare-all", "--unshare-user", "--disable-userns", "--new-session", "--die-with-parent"),
        *("--uid", str(USER), "--gid", str(USER), "--hostname", "sandbox", "--cap-drop", "ALL"),
        *("--seccomp", str(SECCOMP_DESCRIPTOR)),
        "--clearenv",
        *_each("--setenv", environment(layout.python).items()),
        *_memory("/tmp", limits.scratch, "1777"),  # noqa: S108 - inside, where it is the session's own
        *_memory("/mnt/data", limits.disk, "0755"),
        *("--ro-bind", originals, ORIGINALS),
        *_each("--ro-bind", ((source, place) for place, source in layout.shown.items())),
        *_links(),
        *("--ro-bind", layout.etc, "/etc"),
        *("--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"),
        *("--ro-bind-try", "/etc/alternatives", "/etc/alternatives"),
        *("--ro-bind", layout.tools, TOOLS),
        *(("--ro-bind", layout.packages, PACKAGES) if layout.packages else ()),
        *(part for path in layout.hidden for part in ("--size", "4096", "--tmpfs", path, "--remount-ro", path)),
        *("--dev", "/dev", *_memory("/dev/shm", limits.shared, "1777"), "--remount-ro", "/dev"),  # noqa: S108
        *("--proc", "/proc", *_proc()),
        *("--chdir", DATA, "--remount-ro", "/"),
        "--",
        *command(layout.python),
    ]


def command(python: str) -> list[str]:
    """The agent, in a Python that looks at nothing but what it is shown."""
    return [python, "-s", "-c", AGENT]


def environment(python: str) -> dict[str, str]:
    """All that code finds in its environment."""
    return {"PATH": f"{Path(python).parent}:/usr/bin:/bin", **ALWAYS_SET}


def _each(option: str, pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for first, second in pairs:
        yield from (option, first, second)


def _memory(place: str, size: int, mode: str) -> list[str]:
    return ["--size", str(size), "--perms", mode, "--tmpfs", place]


def _links() -> Iterator[str]:
    """Old names of what lies in /usr, as this machine has them."""
    for name in ("/bin", "/lib", "/lib64", "/sbin"):
        if Path(name).is_symlink():
            yield from ("--symlink", str(Path(name).readlink()), name)
        elif Path(name).is_dir() and name != "/sbin":
            yield from ("--ro-bind", name, name)


def _proc() -> Iterator[str]:
    for name in FOLDERS_OF_PROC:
        if Path("/proc", name).is_dir():
            yield from ("--size", "4096", "--tmpfs", f"/proc/{name}", "--remount-ro", f"/proc/{name}")
    for name in TOLD_BY_PROC:
        if Path("/proc", name).exists():
            yield from ("--ro-bind", "/dev/null", f"/proc/{name}")
