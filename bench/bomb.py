"""Time to first token of runs, one at a time, while another thread's code wants every core, and while none does, by turns."""

import argparse
import time
import urllib.request
from pathlib import Path

import targets

LOOPS = 40


def main() -> None:
    """Prints medians of both kinds of turns, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--runs", type=int, default=60, help="in each turn")
    options = parser.parse_args()
    with targets.upstream() as port, targets.runstead(port, "burst-20", is_pinned=False) as ours:
        bomber = targets.post(
            ours.port, "/v1/assistants", {"model": f"bomb-{LOOPS}", "tools": [{"type": "code_interpreter"}]}
        )["id"]
        targets.first_tokens(ours, 20)
        quiet: list[float] = []
        busy: list[float] = []
        for _ in range(options.turns):
            quiet += targets.first_tokens(ours, options.runs)
            run = targets.post(ours.port, "/v1/threads/runs", {"assistant_id": bomber})
            thread = f"http://127.0.0.1:{ours.port}/v1/threads/{run['thread_id']}"
            targets.until(lambda: _loops() > LOOPS)
            busy += targets.first_tokens(ours, options.runs)
            if _loops() <= LOOPS:
                raise SystemExit("the bomb was over before the runs were through: take fewer runs")
            # Its session ends with the thread, and all that is in it.
            urllib.request.urlopen(urllib.request.Request(thread, method="DELETE"), timeout=30).close()
            targets.until(lambda: not _loops())
            time.sleep(1)
    targets.compared(quiet, "beside a bomb", busy)


def _loops() -> int:
    """How many processes there are of model-written code."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            count += b"runstead_agent" in (process / "cmdline").read_bytes()
        except OSError:
            continue
    return count


if __name__ == "__main__":
    main()
