"""What the code interpreter's sandbox costs: a new session, a plot in a warm one, a call, sessions that idle, a bomb next door.

    .venv/bin/python bench/sandbox.py [DATA_DIR]

DATA_DIR holds packages that `runstead sandbox prepare` fetched; without it plots are left out. Prints figures and ratios;
the latter travel between machines.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from runstead.sandbox import bubblewrap, environment
from runstead.sandbox.limits import MIB, Limits
from runstead.sandbox.machine import Machine
from runstead.sandbox.sessions import Sessions

LIMITS = Limits(warm=0, sessions=40)
PLOT = """
import matplotlib.pyplot as plt, pandas as pd
pd.DataFrame({"x": range(100), "y": range(100)}).plot(x="x", y="y")
plt.show()
"""
BOMB = """
import os
for _ in range(40):
    if os.fork() == 0:
        while True:
            pass
while True:
    pass
"""


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return 1000 * (time.perf_counter() - began)


def told(name: str, values: list[float], unit: str = "ms") -> float:
    middle = statistics.median(values)
    print(f"{name:44} p50 {middle:8.2f} {unit}   p95 {sorted(values)[int(0.95 * len(values))]:8.2f} {unit}")
    return middle


async def floor(python: str) -> None:
    process = await asyncio.create_subprocess_exec(
        python, "-I", "-S", "-c", "print(1)", stdout=asyncio.subprocess.DEVNULL
    )
    await process.wait()


async def cold(sessions: Sessions, count: int) -> None:
    await sessions.run("first", "1", [], timeout=30)
    starts, floors = [], []
    for number in range(count):
        starts.append(await timed(lambda: sessions.run(f"cold-{number}", "1 + 1", [], timeout=30)))  # noqa: B023
        await sessions.release(f"cold-{number}")
        floors.append(await timed(lambda: floor(sys.executable)))
    print(
        f"{'  as times of a bare Python':44} {told('cold session to its first result', starts) / told('a bare Python', floors):8.1f}"
    )


async def call(sessions: Sessions) -> None:
    told("a call in a session", [await timed(lambda: sessions.run("first", "1", [], timeout=30)) for _ in range(300)])


async def plot(sessions: Sessions) -> None:
    first = await timed(lambda: sessions.run("plot", PLOT, [], timeout=60))
    again = [await timed(lambda: sessions.run("plot", PLOT, [], timeout=60)) for _ in range(15)]
    print(f"{'a plot with its imports, in a new session':44}     {first:8.2f} ms")
    told("a plot in a session that has plotted", again)


async def warm(limits: Limits, place: Machine, program: Path) -> None:
    sessions = Sessions(bubblewrap.Bubblewrap(program, limits, place), limits)
    values = []
    for number in range(8):
        sessions.start()
        while sessions.warm < limits.warm:  # noqa: ASYNC110 - nothing is measured meanwhile
            await asyncio.sleep(0.05)
        values.append(await timed(lambda: sessions.run(f"warm-{number}", PLOT, [], timeout=60)))  # noqa: B023
        await sessions.release(f"warm-{number}")
    told("the first plot of a thread, from the pool", values)
    await sessions.close()


async def idle(sessions: Sessions) -> None:
    before = held()
    for number in range(20):
        await sessions.run(f"idle-{number}", "1", [], timeout=30)
    print(f"{'memory of 20 idle sessions':44}     {(held() - before) / MIB:8.1f} MiB")
    for number in range(20):
        await sessions.release(f"idle-{number}")


def held() -> int:
    """Shares of memory of everything that belongs to a sandbox."""
    total = 0
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdecimal() and b"runstead_agent" in (process / "cmdline").read_bytes():
                lines = (process / "smaps_rollup").read_text().splitlines()
                total += 1024 * int(next(line for line in lines if line.startswith("Pss:")).split()[1])
        except (OSError, StopIteration):
            continue
    return total


async def bomb(sessions: Sessions) -> None:
    """How long this process waits for its turn, alone and next to code that wants every core."""
    alone = [await timed(lambda: asyncio.to_thread(sum, range(300_000))) for _ in range(100)]
    bombing = asyncio.create_task(sessions.run("bomb", BOMB, [], timeout=8))
    await asyncio.sleep(1)
    beside = [await timed(lambda: asyncio.to_thread(sum, range(300_000))) for _ in range(100)]
    await bombing
    quiet, loud = told("a piece of work, alone", alone), told("the same next to 41 endless loops", beside)
    print(f"{'  slower by':44} {100 * (loud / quiet - 1):8.0f} %")


async def main() -> None:
    found = environment.find(Path(sys.argv[1])) if len(sys.argv) > 1 else None
    program = bubblewrap.programs()[0]
    sessions = Sessions(bubblewrap.Bubblewrap(program, LIMITS, Machine(environment=found)), LIMITS)
    try:
        await cold(sessions, 40)
        await call(sessions)
        await idle(sessions)
        await bomb(sessions)
        if found is not None:
            await plot(sessions)
    finally:
        await sessions.close()
    if found is not None:
        await warm(Limits(warm=1, sessions=40), Machine(environment=found), program)


asyncio.run(main())
