"""Three nodes under paced runs, one of them killed again and again: what is lost, what is doubled, how long runs pause."""

import argparse
import asyncio
import random
import time
from dataclasses import dataclass, field

import asyncpg
import engines
import readers
import targets
import uvloop

CHUNKS = 20
MODEL = f"paced-100-{CHUNKS}"
WORDS = [f"word{number}" for number in range(CHUNKS)]
HELD = "SELECT id, owner FROM runs WHERE status IN ('in_progress', 'cancelling') AND owner IS NOT NULL"
LOOKED_AT = "SELECT id, owner, status FROM runs WHERE id = ANY ($1)"
LOOK_EVERY = 0.05


@dataclass
class Soak:
    """What goes on, and what was seen."""

    cluster: engines.Cluster
    runs: dict[str, str] = field(default_factory=dict)
    told: dict[str, readers.Told] = field(default_factory=dict)
    recoveries: list[float] = field(default_factory=list)
    kills: int = 0
    is_over: bool = False

    async def client(self, session, assistant: str) -> None:
        """Run after run, each read to its end."""
        while not self.is_over:
            body = {"assistant_id": assistant, "thread": {"messages": [{"role": "user", "content": "hello"}]}}
            run = await readers.ask(session, self.cluster.nodes, "POST", "/v1/threads/runs", body)
            self.runs[run["id"]] = run["thread_id"]
            told = self.told[run["id"]] = readers.Told()
            path = f"/v1/threads/{run['thread_id']}/runs/{run['id']}"
            async with asyncio.timeout(readers.GIVE_UP_AFTER):
                while not told.is_over:
                    try:
                        await readers.read(session, random.choice(self.cluster.nodes).port, path, told)
                    except readers.BROKEN:
                        told.broken_off += 1
                    if not told.is_over:
                        await asyncio.sleep(readers.PAUSE)

    async def kill_one(self, connection) -> "asyncio.Task[None]":
        """Kill a node and start another in its place; the task watches whose runs are taken up."""
        place = random.randrange(len(self.cluster.nodes))
        before = {row["id"]: row["owner"] for row in await connection.fetch(HELD)}
        killed = time.monotonic()
        await asyncio.to_thread(self.cluster.nodes[place].kill)
        self.kills += 1
        watching = asyncio.create_task(self._watch(before, killed))
        self.cluster.nodes[place] = await asyncio.to_thread(self.cluster.start)
        return watching

    async def _watch(self, before: dict[str, str], killed: float) -> None:
        # Which of the owners it was that died shows in whose runs go on under another name.
        connection = await asyncpg.connect(self.cluster.url)
        waiting = dict(before)
        while waiting and time.monotonic() - killed < 15:
            for row in await connection.fetch(LOOKED_AT, list(waiting)):
                if row["owner"] not in (waiting[row["id"]], None):
                    self.recoveries.append(time.monotonic() - killed)
                    del waiting[row["id"]]
                elif row["status"] not in ("in_progress", "cancelling", "queued"):
                    del waiting[row["id"]]
            await asyncio.sleep(LOOK_EVERY)
        self.recoveries += [15.0] * len(waiting)
        await connection.close()

    async def check(self, session) -> tuple[int, int]:
        """How many runs were lost, and how many said something twice."""
        lost = doubled = 0
        for run, thread in self.runs.items():
            found = await readers.ask(session, self.cluster.nodes, "GET", f"/v1/threads/{thread}/runs/{run}")
            listed = await readers.ask(session, self.cluster.nodes, "GET", f"/v1/threads/{thread}/messages?limit=100")
            said = [message["content"][0]["text"]["value"].split() for message in listed["data"] if message["run_id"]]
            lost += found["status"] != "completed" or WORDS not in said
            doubled += len(said) > 1
        return lost, doubled


async def measure(cluster: engines.Cluster, kills: int, seconds: float, clients: int) -> bool:
    """Print what was found; whether it is what was promised."""
    soak = Soak(cluster)
    assistant = targets.post(cluster.nodes[0].port, "/v1/assistants", {"model": MODEL})["id"]
    connection = await asyncpg.connect(cluster.url)
    async with readers.session() as session:
        working = [asyncio.create_task(soak.client(session, assistant)) for _ in range(clients)]
        began = time.monotonic()
        watching = []
        for number in range(kills):
            await asyncio.sleep(max(0.0, began + (number + 0.5) * seconds / kills - time.monotonic()))
            # The next one dies when its turn comes, whether or not the last one's runs were taken up.
            watching.append(await soak.kill_one(connection))
        await asyncio.gather(*watching)
        await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
        soak.is_over = True
        await asyncio.gather(*working)
        lost, doubled = await soak.check(session)
    await connection.close()
    gaps = sum(told.gaps for told in soak.told.values())
    p99 = engines.percentile(soak.recoveries, 0.99) if soak.recoveries else 0.0
    print(f"{soak.kills} kills in {seconds:g} s, {len(soak.runs)} runs of {clients} clients")
    print(f"  lost {lost}   doubled {doubled}   gaps in streams {gaps} (goal 0)")
    print(f"  {len(soak.recoveries)} runs taken up elsewhere, p99 after {p99:.1f} s (goal <= 10 s)")
    return lost == doubled == gaps == 0 and p99 <= 10


def main() -> None:
    """The goal is 200 kills in 10 minutes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--clients", type=int, default=30)
    options = parser.parse_args()
    with engines.cluster("all", "all", "all") as cluster:
        is_kept = uvloop.run(measure(cluster, options.kills, options.seconds, options.clients))
    raise SystemExit(0 if is_kept else "a promise was broken")


if __name__ == "__main__":
    main()
