"""The start of a server, its memory when idle, and create-to-completed of a run on an instant model, one at a time."""

import argparse
import contextlib
import os
import statistics
import time

import targets


def main() -> None:
    """Poll-free: the stream's end is the run's end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    options = parser.parse_args()
    os.sched_setaffinity(0, targets.LOAD_CORE)
    with targets.upstream() as port, contextlib.ExitStack() as stack:
        began = time.perf_counter()
        ours = stack.enter_context(targets.runstead(port, "burst-20"))
        print(f"up and an assistant made after {time.perf_counter() - began:.2f} s (goal < 2)")
        print(f"memory of an idle server {ours.memory():.0f} MB (goal <= 90)")
        took = []
        for _ in range(options.runs):
            started = time.perf_counter()
            if b"event: thread.run.completed" not in targets.stream(ours):
                raise SystemExit("a run did not complete")
            took.append((time.perf_counter() - started) * 1000)
        took = sorted(took[20:])
        print(f"create to completed, p50 {statistics.median(took):.1f} ms, p99 {took[int(len(took) * 0.99)]:.1f} ms")
        print("(goal p50 <= 15 ms; SQLite with synchronous=FULL)")
        print(f"memory after {options.runs} runs {ours.memory():.0f} MB")


if __name__ == "__main__":
    main()
