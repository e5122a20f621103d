"""CPU per streamed run beside nginx, and time to first token beside nginx and no proxy at all."""

import argparse
import os
import statistics

import load
import targets
import uvloop

CHUNKS = 100
PAUSE = 5
"""Milliseconds between the chunks of a paced stream."""


def cpu_per_run(target: targets.Target, connections: int, seconds: float) -> float:
    """Milliseconds of the server's CPU for one stream of 100 chunks."""
    uvloop.run(load.run(target, connections, 0.5))
    before = target.cpu()
    result = uvloop.run(load.run(target, connections, seconds))
    return (target.cpu() - before) * 1000 / result.streams


def first_token(target: targets.Target, connections: int, seconds: float) -> float:
    """Median milliseconds to the first token."""
    spread = CHUNKS * PAUSE / 1000
    uvloop.run(load.run(target, connections, 0.5, spread=spread))
    return statistics.median(uvloop.run(load.run(target, connections, seconds, spread=spread)).first_tokens) * 1000


def main() -> None:
    """Interleaved rounds, medians, ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--streams", type=int, default=10, help="at once, for the time to first token")
    options = parser.parse_args()
    os.sched_setaffinity(0, targets.LOAD_CORE)
    with targets.upstream() as port:
        each, paced = f"each-{CHUNKS}", f"paced-{PAUSE}-{CHUNKS}"
        with targets.nginx(port, each) as proxy, targets.runstead(port, each) as ours:
            costs: dict[str, list[float]] = {"nginx": [], "runstead": []}
            for _ in range(options.rounds):
                for target in (proxy, ours):
                    costs[target.name].append(cpu_per_run(target, options.connections, options.seconds))
        with (
            targets.nginx(port, paced) as proxy,
            targets.floor(port, paced, is_durable=False) as volatile,
            targets.floor(port, paced, is_durable=True) as floor,
            targets.runstead(port, paced) as ours,
        ):
            asked = (targets.direct(port, paced), proxy, volatile, floor, ours)
            times: dict[str, list[float]] = {target.name: [] for target in asked}
            for _ in range(options.rounds):
                for target in asked:
                    times[target.name].append(first_token(target, options.streams, options.seconds))
    nginx_cost, our_cost = (statistics.median(costs[name]) for name in ("nginx", "runstead"))
    print(f"CPU per run of {CHUNKS} chunks, {options.connections} at once (ms)")
    print(f"  nginx {nginx_cost:.2f}   runstead {our_cost:.2f}   ratio {our_cost / nginx_cost:.1f} (goal <= 5)")
    added = {name: statistics.median(taken) - statistics.median(times["direct"]) for name, taken in times.items()}
    print(f"added time to first token, {PAUSE} ms between chunks, {options.streams} at once (ms, median of medians)")
    for name in ("nginx", "floor without commit", "floor", "runstead"):
        print(f"  {name:<22}+{added[name]:.2f}   {added[name] / added['nginx']:5.1f} times nginx (goal <= 10)")
    print(f"  {'the commit alone':<22}+{added['floor'] - added['floor without commit']:.2f}")


if __name__ == "__main__":
    main()
