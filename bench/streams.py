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
    options = parser.parse_args()
    os.sched_setaffinity(0, targets.LOAD_CORE)
    with targets.upstream() as port:
        each, paced = f"each-{CHUNKS}", f"paced-{PAUSE}-{CHUNKS}"
        with targets.nginx(port, each) as proxy, targets.runstead(port, each) as ours:
            costs: dict[str, list[float]] = {"nginx": [], "runstead": []}
            for _ in range(options.rounds):
                for target in (proxy, ours):
                    costs[target.name].append(cpu_per_run(target, options.connections, options.seconds))
        with targets.nginx(port, paced) as proxy, targets.runstead(port, paced) as ours:
            times: dict[str, list[float]] = {"direct": [], "nginx": [], "runstead": []}
            for _ in range(options.rounds):
                for target in (targets.direct(port, paced), proxy, ours):
                    times[target.name].append(first_token(target, 10, options.seconds))
    nginx_cost, our_cost = (statistics.median(costs[name]) for name in ("nginx", "runstead"))
    direct, nginx_time, our_time = (statistics.median(times[name]) for name in ("direct", "nginx", "runstead"))
    print(f"CPU per run of {CHUNKS} chunks, {options.connections} at once (ms)")
    print(f"  nginx {nginx_cost:.2f}   runstead {our_cost:.2f}   ratio {our_cost / nginx_cost:.1f} (goal <= 5)")
    print(f"added time to first token, {PAUSE} ms between chunks, 10 at once (ms, median)")
    added, ours_added = nginx_time - direct, our_time - direct
    print(f"  nginx +{added:.2f}   runstead +{ours_added:.2f}   ratio {ours_added / added:.1f} (goal <= 10)")


if __name__ == "__main__":
    main()
