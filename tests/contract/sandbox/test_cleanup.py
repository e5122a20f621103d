"""What is left behind: nothing, whoever was killed."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import gettempdir
from textwrap import dedent

import pytest

from runstead.sandbox import cgroups
from runstead.sandbox.sessions import Sessions
from tests.contract.sandbox.asking import Asked, file, until
from tests.contract.sandbox.conftest import LIMITS, local, require

SERVER = """
import asyncio, sys
from tests.contract.sandbox.asking import Asked, file
from tests.contract.sandbox.conftest import LIMITS, local
from runstead.sandbox.sessions import Sessions

async def main():
    sessions = Sessions(local("bubblewrap", LIMITS), LIMITS)
    for name in ("thread_one", "thread_two"):
        await Asked(sessions, name)("import subprocess\\nsubprocess.Popen('sleep 1000 & sleep 1000', shell=True)", file("x", b"x"))
    print("ready", flush=True)
    await asyncio.sleep(1000)

asyncio.run(main())
"""


class Traces:
    """What a server's sandboxes leave on the machine: processes, folders, cgroups, mounts."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def __call__(self) -> list[str]:
        sign = f"runstead-sandbox-{self.pid}-"
        found = [str(path) for path in Path(gettempdir()).glob(f"{sign}*")]
        found += [str(path) for parent in cgroups.find().parents.values() for path in parent.glob(f"{sign}*")]
        found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if sign in line]
        for process in Path("/proc").iterdir():
            if process.name.isdecimal():
                try:
                    words = (process / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
                except OSError:
                    continue
                if sign in words:
                    found.append(f"{process.name}: {words[:200]}")
        return found


def sessions_folder() -> Path:
    return next(Path(gettempdir()).glob(f"runstead-sandbox-{os.getpid()}-*/sessions"))


@pytest.fixture(autouse=True)
async def _holds() -> None:
    await require("bubblewrap")


@pytest.fixture
async def server() -> AsyncIterator[asyncio.subprocess.Process]:
    """A process with two sessions, each with children of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", dedent(SERVER), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 30) == b"ready\n"
    yield process
    if process.returncode is None:
        process.kill()
    await process.wait()


async def test_an_orderly_end_leaves_nothing():
    traces = Traces(os.getpid())
    sessions = Sessions(local("bubblewrap", LIMITS), LIMITS)
    await Asked(sessions)("import subprocess\nsubprocess.Popen('sleep 1000', shell=True)", file("x", b"x"))
    assert traces()

    await sessions.close()

    assert traces() == []


async def test_an_ended_session_leaves_nothing_of_its_own():
    sessions = Sessions(local("bubblewrap", LIMITS), LIMITS)
    try:
        await Asked(sessions)("import subprocess\nsubprocess.Popen('sleep 1000', shell=True)", file("x", b"x"))
        folder = sessions_folder()
        assert list(folder.iterdir())

        await sessions.release("thread_one")

        assert list(folder.iterdir()) == []
        groups = [path for parent in cgroups.find().parents.values() for path in parent.glob(f"*-{os.getpid()}-*")]
        assert groups == []
    finally:
        await sessions.close()


async def test_a_killed_server_leaves_nothing(server: asyncio.subprocess.Process):
    traces = Traces(server.pid)
    assert len(traces()) > 3

    server.kill()
    await server.wait()

    await until(lambda: traces() == [])


async def test_a_killed_keeper_takes_its_sandboxes_along(server: asyncio.subprocess.Process):
    traces = Traces(server.pid)
    (keeper,) = [int(line.split(":")[0]) for line in traces() if "keeper.py" in line]

    os.kill(keeper, signal.SIGKILL)

    await until(lambda: not [line for line in traces() if ": " in line])


async def test_what_a_killed_keeper_left_goes_at_the_next_start():
    dead = await asyncio.create_subprocess_exec("true")
    await dead.wait()
    folder = Path(gettempdir(), f"runstead-sandbox-{dead.pid}-left")
    (folder / "sessions").mkdir(parents=True)
    os.utime(folder, (0, 0))
    groups = [parent / f"runstead-sandbox-{dead.pid}-left" for parent in cgroups.find().parents.values()]
    for group in groups:
        group.mkdir()
    sessions = Sessions(local("bubblewrap", LIMITS), LIMITS)
    try:
        await Asked(sessions)("1")

        assert Traces(dead.pid)() == []
    finally:
        await sessions.close()


async def test_a_dead_keeper_is_replaced_and_the_loss_told():
    sessions = Sessions(local("bubblewrap", LIMITS), LIMITS)
    asked = Asked(sessions)
    try:
        await asked("x = 1")
        (keeper,) = [int(line.split(":")[0]) for line in Traces(os.getpid())() if "keeper.py" in line]
        os.kill(keeper, signal.SIGKILL)
        # It takes its sandboxes along, a moment later.
        await until(lambda: not [line for line in Traces(os.getpid())() if ": " in line])

        outcome = await asked("'x' in globals()")
        if outcome.is_error:
            # The call came before the loss was noticed, and was told so.
            assert "session has ended" in str(outcome.notice)
            outcome = await asked("'x' in globals()")

        assert outcome.logs == "False\n"
    finally:
        await sessions.close()
    await until(lambda: Traces(os.getpid())() == [])
