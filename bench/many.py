"""Many paced runs at once on three nodes, each read on a node that does not execute it, and how many events are lost."""

import argparse
import asyncio
import time

import engines
import readers
import targets
import uvloop

PAUSE_MS = 500


async def one(session, cluster, number: int, assistant: str, late: list[float], chunks: int) -> readers.Told:
    """A run begun on one node and read on the next."""
    nodes = cluster.nodes
    here, there = nodes[number % len(nodes)], nodes[(number + 1) % len(nodes)]
    body = {"assistant_id": assistant, "thread": {"messages": [{"role": "user", "content": "hello"}]}}
    run = await readers.ask(session, [here], "POST", "/v1/threads/runs", body)
    began = time.monotonic()
    told = readers.Told()
    await readers.read(session, there.port, f"/v1/threads/{run['thread_id']}/runs/{run['id']}", told)
    late.append(time.monotonic() - began - chunks * PAUSE_MS / 1000)
    return told


async def measure(cluster: engines.Cluster, runs: int, seconds: float, ramp: float) -> bool:
    """Print what was found; whether nothing was lost."""
    chunks = int(seconds * 1000 / PAUSE_MS)
    assistant = targets.post(cluster.nodes[0].port, "/v1/assistants", {"model": f"paced-{PAUSE_MS}-{chunks}"})["id"]
    late: list[float] = []
    async with readers.session() as session:

        async def later(number: int) -> readers.Told:
            await asyncio.sleep(ramp * number / runs)
            return await one(session, cluster, number, assistant, late, chunks)

        all_told = await asyncio.gather(*(later(number) for number in range(runs)))
    words = [f"word{number}" for number in range(chunks)]
    whole = sum(told.is_over and told.words == words for told in all_told)
    gaps, errors = sum(told.gaps for told in all_told), sum(told.broken_off for told in all_told)
    print(f"{runs} runs of {seconds:g} s at once, begun within {ramp:g} s, each read on another node")
    print(f"  told whole {whole}   gaps {gaps}   streams broken off {errors} (goal: all, 0, 0)")
    print(f"  later than its model: p50 {engines.percentile(late, 0.5):.2f} s, longest {max(late):.2f} s")
    return whole == runs and gaps == errors == 0


def main() -> None:
    """All of them overlap when the ramp is shorter than a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--ramp", type=float, default=20.0)
    options = parser.parse_args()
    with engines.cluster("all", "all", "all") as cluster:
        is_whole = uvloop.run(measure(cluster, options.runs, options.seconds, options.ramp))
    raise SystemExit(0 if is_whole else "events were lost")


if __name__ == "__main__":
    main()
