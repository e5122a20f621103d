"""What is compared: our server and nginx before the same upstream, each started, pinned, measured and ended."""

import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SERVER_CORE, LOAD_CORE = {0}, {1}


@dataclass(frozen=True)
class Target:
    """A port to talk to, a request to send there, and the processes whose time counts."""

    name: str
    port: int
    path: str
    body: dict[str, object]
    first_token: bytes
    pids: tuple[int, ...]

    def cpu(self) -> float:
        """Seconds of user and system time so far."""
        ticks = 0
        for pid in self.pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Resident MB."""
        status = Path(f"/proc/{self.pids[0]}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@contextmanager
def process(
    command: list[str], core: set[int], environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A child on one core, ended with the block."""
    child = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    os.sched_setaffinity(child.pid, core)
    try:
        yield child
    finally:
        child.terminate()
        child.wait(20)


@contextmanager
def upstream() -> Iterator[int]:
    """The model's server; its port."""
    with process([sys.executable, str(HERE / "upstream.py")], LOAD_CORE) as child:
        assert child.stdout is not None
        yield int(child.stdout.readline())


def direct(port: int, model: str) -> Target:
    """The upstream itself, for the time to first token."""
    body: dict[str, object] = {"model": model, "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    return Target("direct", port, "/v1/chat/completions", body, b'"content"', ())


@contextmanager
def nginx(port: int, model: str) -> Iterator[Target]:
    """Nginx as an unbuffered proxy with one worker."""
    program = shutil.which("nginx")
    if program is None:
        raise SystemExit("nginx is not on the PATH; install it to compare with it")
    with tempfile.TemporaryDirectory() as folder:
        own = free_port()
        config = Path(folder) / "nginx.conf"
        config.write_text(
            f"daemon off; worker_processes 1; pid {folder}/pid; error_log /dev/null;\n"
            "events { worker_connections 4096; }\n"
            f"http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;\n"
            f"upstream model {{ server 127.0.0.1:{port}; keepalive 512; }}\n"
            f"server {{ listen 127.0.0.1:{own} backlog=1024; location / {{ proxy_pass http://model;\n"
            'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; } } }\n'
        )
        with process([program, "-c", str(config), "-e", "/dev/null"], SERVER_CORE) as child:
            until(lambda: answers(own))
            yield Target(
                "nginx",
                own,
                "/v1/chat/completions",
                direct(port, model).body,
                b'"content"',
                tuple(_children(child.pid)),
            )


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def runstead(port: int, model: str, weights: Path | None = None, *, is_pinned: bool | None = None) -> Iterator[Target]:
    """Our server on SQLite with an empty data folder; where another one's weights are lent to it, on all cores."""
    with tempfile.TemporaryDirectory() as folder:
        if weights is not None:
            (Path(folder) / "models").symlink_to((weights / "models").absolute())
        environment = {
            "RUNSTEAD_DATA_DIR": folder,
            "RUNSTEAD_MODEL_URL": f"http://127.0.0.1:{port}/v1",
            "RUNSTEAD_MODEL_WINDOW": "128000",
            "RUNSTEAD_LOG_LEVEL": "warning",
        }
        cores = SERVER_CORE if (weights is None if is_pinned is None else is_pinned) else SERVER_CORE | LOAD_CORE
        with process([sys.executable, "-m", "runstead", "serve", "--port", "0"], cores, environment) as child:
            assert child.stdout is not None
            own = int(child.stdout.readline().strip().rpartition(":")[2].partition("/")[0])
            assistant = post(own, "/v1/assistants", {"model": model})
            body = {
                "assistant_id": assistant["id"],
                "stream": True,
                "thread": {"messages": [{"role": "user", "content": "hello"}]},
            }
            yield Target("runstead", own, "/v1/threads/runs", body, b"event: thread.message.delta", (child.pid,))


@contextmanager
def floor(port: int, model: str, *, is_durable: bool) -> Iterator[Target]:
    """The least that a server on our libraries can do, with or without a durable commit before the model is asked."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "FLOOR_UPSTREAM": f"http://127.0.0.1:{port}/v1/chat/completions",
            "FLOOR_DATABASE": f"{folder}/floor.db" if is_durable else "",
        }
        with process([sys.executable, str(HERE / "floor.py")], SERVER_CORE, environment) as child:
            assert child.stdout is not None
            own = int(child.stdout.readline())
            until(lambda: answers(own))
            name = "floor" if is_durable else "floor without commit"
            yield Target(name, own, "/v1/chat/completions", direct(port, model).body, b'"content"', (child.pid,))


def post(port: int, path: str, body: object) -> dict[str, str]:
    """One JSON request."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return dict(json.load(answer))


def stream(target: Target) -> bytes:
    """One streamed request to its end."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{target.port}{target.path}",
        json.dumps(target.body).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return bytes(answer.read())


def first_tokens(ours: Target, runs: int) -> list[float]:
    """Milliseconds to the first token of runs, one after the other."""
    return [_first_token(ours) for _ in range(runs)]


def _first_token(ours: Target) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", ours.port)
    try:
        began = time.perf_counter()
        connection.request("POST", ours.path, json.dumps(ours.body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        seen, first = b"", 0.0
        while piece := answer.read1():
            seen += piece
            if not first and ours.first_token in seen:
                first = (time.perf_counter() - began) * 1000
        if b"thread.run.completed" not in seen:
            raise SystemExit("a run did not complete")
        return first
    finally:
        connection.close()


def compared(quiet: list[float], name: str, busy: list[float]) -> None:
    """Print both, and by how much the medians differ."""
    for each, took in (("quiet", quiet), (name, busy)):
        ordered = sorted(took)
        print(f"{each}: p50 {statistics.median(ordered):.1f} ms, p95 {ordered[int(len(ordered) * 0.95)]:.1f} ms")
    print(f"ratio of medians {statistics.median(busy) / statistics.median(quiet):.2f} (goal <= 1.5)")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(is_true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for a fact."""
    end = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > end:
            raise SystemExit("it did not start")
        time.sleep(0.01)
