"""The sandbox of a server that is not root and may make no cgroups: the same walls, one user for all, memory watched."""

import asyncio
import os
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.contract.sandbox.conftest import require

SOMEBODY = 65_100
SCRIPT = """
import asyncio, os
from msgspec import structs
from runstead.sandbox import bubblewrap, cgroups
from runstead.sandbox.choice import Candidate, Chosen
from runstead.sandbox.limits import MIB, Limits
from runstead.sandbox.machine import Machine

LIMITS = Limits(memory=200 * MIB, disk=32 * MIB, warm=0, grace=1)

async def main():
    assert os.getuid() != 0
    chosen = Chosen(
        [Candidate("bubblewrap", lambda: bubblewrap.Bubblewrap(bubblewrap.programs()[0], LIMITS, Machine()))], LIMITS
    )
    try:
        print(await chosen.check())
        print((await chosen.run("t", "import os; open('/mnt/data/x', 'w').write('x'); os.getuid()", [], timeout=20)).logs)
        bomb = await chosen.run("t", BOMB, [], timeout=20)
        print(bomb.is_error, bomb.notice)
        print((await chosen.run("t", FORKS, [], timeout=20)).logs)
    finally:
        await chosen.close()

BOMB = '''
import os, time
for _ in range(4):
    if os.fork() == 0:
        held = bytearray(os.urandom(2**20)) * 150
        time.sleep(20)
        os._exit(0)
os.wait()
'''
FORKS = '''
import os, time
made = 0
try:
    for _ in range(150):
        if os.fork() == 0:
            time.sleep(1)
            os._exit(0)
        made += 1
except OSError:
    pass
made < 64
'''
asyncio.run(main())
"""


async def somebodys(command: list[str], path: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        user=SOMEBODY,
        group=SOMEBODY,
        extra_groups=[],
        cwd="/",
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else; for others every test is this one")
async def test_an_ordinary_user_has_the_same_walls():
    await require("bubblewrap")
    import msgspec

    import runstead

    path = f"{Path(runstead.__file__).parents[1]}:{Path(msgspec.__file__).parents[1]}"
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            process = await somebodys([python, "-c", "import msgspec, structlog"], path)
        except OSError:
            continue
        if await process.wait() == 0:
            break
    else:
        pytest.skip("no Python with our packages can be read by another user")
    process = await somebodys([python, "-c", dedent(SCRIPT)], path)
    told, problems = await asyncio.wait_for(process.communicate(), 60)

    assert process.returncode == 0, problems.decode()
    check, user, bomb, forks = [line for line in told.decode().splitlines() if line and "[info" not in line]
    assert "no cgroup may be made" in check
    assert user == "1000"
    assert bomb.startswith("True The session has ended: It used more memory")
    assert forks == "True"
