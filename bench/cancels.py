"""A cancellation asked of one node for a run that another executes: until the end is told, with NATS and without."""

import argparse
import http.client
import json
import time

import engines
import targets


def cancelled(asked: int, executing: int, assistant: str) -> float:
    """Milliseconds from the request, on a node that does not execute the run, to its last event."""
    thread = {"messages": [{"role": "user", "content": "hello"}]}
    body = json.dumps({"assistant_id": assistant, "stream": True, "thread": thread})
    stream = http.client.HTTPConnection("127.0.0.1", executing, timeout=30)
    # Its own stream, which begins before the run: without NATS one that comes later is told whole messages only.
    stream.request("POST", "/v1/threads/runs", body, {"content-type": "application/json"})
    events = stream.getresponse()
    run: dict[str, str] = {}
    is_created = False
    for line in events:
        if is_created and line.startswith(b"data: ") and not run:
            run = json.loads(line.removeprefix(b"data: "))
        is_created = is_created or line.startswith(b"event: thread.run.created")
        if line.startswith(b"event: thread.message.delta"):
            break
    path = f"/v1/threads/{run['thread_id']}/runs/{run['id']}"
    began = time.monotonic()
    targets.post(asked, f"{path}/cancel", {})
    for line in events:
        if line.startswith(b"event: thread.run.cancelled"):
            stream.close()
            return (time.monotonic() - began) * 1000
    raise SystemExit(f"a cancelled run ended otherwise: {json.dumps(run)}")


def main() -> None:
    """One at a time; a silent bus costs seconds, so fewer of those."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--without-nats", type=int, default=10)
    options = parser.parse_args()
    with engines.cluster("all", "all") as cluster:
        executing, asked = (node.port for node in cluster.nodes)
        assistant = targets.post(executing, "/v1/assistants", {"model": "paced-200-300"})["id"]
        took = [cancelled(asked, executing, assistant) for _ in range(options.runs)]
        p50, p99 = engines.percentile(took, 0.5), engines.percentile(took, 0.99)
        print(f"cancel across nodes: p50 {p50:.1f} ms, p99 {p99:.1f} ms (goal p50 <= 50 ms)")
        cluster.nats.kill()
        took = [cancelled(asked, executing, assistant) for _ in range(options.without_nats)]
        print(f"without NATS: p50 {engines.percentile(took, 0.5):.0f} ms, longest {max(took):.0f} ms (goal <= 5000 ms)")
        cluster.nats.start()


if __name__ == "__main__":
    main()
