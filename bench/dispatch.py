"""From a run's creation to the call of its model on PostgreSQL with fsync and NATS: on the same node, and on another."""

import argparse
import re
import time

import engines
import targets

SAID = re.compile(rb'"value":"([0-9.]+)"')


def dispatch(port: int, assistant: str) -> float:
    """Milliseconds until the upstream was asked; both clocks are the machine's."""
    body: dict[str, object] = {
        "assistant_id": assistant,
        "stream": True,
        "thread": {"messages": [{"role": "user", "content": "hello"}]},
    }
    target = targets.Target("runstead", port, "/v1/threads/runs", body, b"", ())
    began = time.monotonic()
    found = SAID.search(targets.stream(target))
    if found is None:
        raise SystemExit("a run did not say when its model was asked")
    return (float(found[1]) - began) * 1000


def main() -> None:
    """One run at a time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    options = parser.parse_args()
    for how, roles in (("on the node that accepts", ("all",)), ("on another node", ("api", "worker"))):
        with engines.cluster(*roles) as cluster:
            port = cluster.nodes[0].port
            assistant = targets.post(port, "/v1/assistants", {"model": "clock-1"})["id"]
            took = [dispatch(port, assistant) for _ in range(options.runs)][options.runs // 15 :]
        p50, p99 = engines.percentile(took, 0.5), engines.percentile(took, 0.99)
        print(f"create to model call, {how}: p50 {p50:.1f} ms, p99 {p99:.1f} ms (goal p50 <= 12 ms)")


if __name__ == "__main__":
    main()
