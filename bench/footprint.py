"""What runs leave behind and what they cost the engines: bytes, commits, messages and time of the CPU, from real ones.

With one client a run comes after the other, and no commit is shared: the dearest case for the engines.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import sqlite3
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import nats
import targets

sys.path.insert(0, str(targets.HERE.parent))

from tests.contract.bus.nats_server import NatsServer
from tests.contract.postgres_server import PostgresServer, a_server


@contextmanager
def serving(upstream: int, folder: Path, **settings: str) -> Iterator[tuple[int, int]]:
    """A server's port and process, while the block lasts."""
    environment = {
        "RUNSTEAD_DATA_DIR": str(folder),
        "RUNSTEAD_MODEL_URL": f"http://127.0.0.1:{upstream}/v1",
        "RUNSTEAD_MODEL_WINDOW": "128000",
        "RUNSTEAD_LOG_LEVEL": "error",
        **settings,
    }
    command = [sys.executable, "-m", "runstead", "serve", "--port", "0"]
    with targets.process(command, targets.SERVER_CORE, environment) as child:
        assert child.stdout is not None
        yield int(child.stdout.readline().strip().rpartition(":")[2].partition("/")[0]), child.pid


class Client:
    """Drives runs of one kind and counts the events that they tell."""

    def __init__(self, port: int, options: argparse.Namespace) -> None:
        self._port = port
        self._question = "hello " * (options.question // 6)
        self._per_thread = options.per_thread
        self._clients = options.clients
        self._assistant = targets.post(port, "/v1/assistants", {"model": options.model})["id"]
        self.events = 0

    def run(self, thread: str | None = None) -> str:
        """A message and a run, in a new thread or a given one; the thread."""
        body: dict[str, object] = {"assistant_id": self._assistant, "stream": True}
        message = {"role": "user", "content": self._question}
        if thread is None:
            path, body["thread"] = "/v1/threads/runs", {"messages": [message]}
        else:
            path, body["additional_messages"] = f"/v1/threads/{thread}/runs", [message]
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}{path}", json.dumps(body).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            told = answer.read()
        if b"event: thread.run.completed" not in told:
            raise SystemExit("a run did not complete")
        self.events += told.count(b"event: ")
        found = told.partition(b'"thread_id":"')[2].partition(b'"')[0]
        return found.decode()

    def runs(self, count: int) -> None:
        """As many runs, by as many clients at once as were asked for."""
        with ThreadPoolExecutor(self._clients) as pool:
            for done in [pool.submit(self._talk) for _ in range(count // self._per_thread)]:
                done.result()

    def _talk(self) -> None:
        thread = self.run()
        for _ in range(self._per_thread - 1):
            self.run(thread)


def on_sqlite(upstream: int, options: argparse.Namespace) -> None:
    """The file's pages in use, before and after."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "runstead.db"
        with serving(upstream, Path(folder)) as (port, _):
            Client(port, options).runs(options.warm)
        before = _pages(database)
        with serving(upstream, Path(folder)) as (port, _):
            Client(port, options).runs(options.runs)
        grown = _pages(database) - before
    print(f"SQLite      {grown / options.runs / 1024:7.1f} KiB a run in the file")


def _pages(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
    return int((pages - free) * size)


SIZES = """
SELECT relname, pg_total_relation_size(oid), pg_indexes_size(oid) FROM pg_class
 WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""
COUNTS = """
SELECT (SELECT sum(number) FROM writers), pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0'),
       (SELECT xact_commit FROM pg_stat_database WHERE datname = 'runstead')
"""


def on_postgres(upstream: int, options: argparse.Namespace) -> None:
    """Tables with their indexes, log, groups of changes, and what NATS was sent."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = stack.enter_context(a_server())
        postgres.sql("CREATE DATABASE runstead")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            monitor = taken.getsockname()[1]
        bus = NatsServer(folder / "nats", "-m", str(monitor))
        bus.start()
        stack.callback(bus.kill)
        settings = {"RUNSTEAD_DATABASE_URL": postgres.url("runstead"), "RUNSTEAD_NATS_URL": bus.url}
        port, node = stack.enter_context(serving(upstream, folder, **settings))
        engines = {"node": node, "PostgreSQL": _pid(postgres), "NATS": _pid(bus)}
        client = Client(port, options)
        client.runs(options.warm)
        client.events = 0
        before, told_before, kept_before = _state(postgres), _told(monitor), asyncio.run(_kept(bus.url))
        spent = {name: -_cpu(pid) for name, pid in engines.items()}
        client.runs(options.runs)
        spent = {name: spent[name] + _cpu(pid) for name, pid in engines.items()}
        after, told, kept = _state(postgres), _told(monitor), asyncio.run(_kept(bus.url))
    runs = options.runs
    grown = {name: after[0][name][0] - before[0][name][0] for name in after[0]}
    indexes = sum(after[0][name][1] - before[0][name][1] for name in after[0])
    whole = sum(grown.values())
    print(f"PostgreSQL  {whole / runs / 1024:7.1f} KiB a run in tables, {indexes / runs / 1024:.1f} of it indexes")
    for name, size in sorted(grown.items(), key=lambda entry: -entry[1]):
        if size > whole / 100:
            print(f"              {size / runs / 1024:5.1f} {name}")
    groups, log, transactions = (each - was for each, was in zip(after[1], before[1], strict=True))
    print(f"            {log / runs / 1024:7.1f} KiB a run of log (full_page_writes off)")
    print(
        f"            {groups / runs:7.1f} durable commits a run, {(transactions - groups) / runs:.1f} other transactions"
    )
    print(f"NATS        {(kept[0] - kept_before[0]) / runs:7.1f} messages a run kept for a while, of")
    print(
        f"            {(kept[1] - kept_before[1]) / runs / 1024:7.1f} KiB; {(told - told_before) / runs:.1f} sent in all"
    )
    print(f"events      {client.events / runs:7.1f} a run told to its reader")
    shares = ", ".join(f"{name} {seconds / spent['node']:.2f}" for name, seconds in spent.items())
    print(f"CPU         as shares of a node's: {shares}; a node's {spent['node'] / runs * 1000:.1f} ms a run")


def _pid(server: PostgresServer | NatsServer) -> int:
    process = server._process  # noqa: SLF001
    assert process is not None
    return int(process.pid)


def _cpu(pid: int) -> float:
    """Seconds of a process and of its children, those that ended included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = sum(int(field) for field in fields[11:15])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return ticks / os.sysconf("SC_CLK_TCK") + sum(_cpu(int(child)) for child in children)


def _state(postgres: PostgresServer) -> tuple[dict[str, tuple[int, int]], tuple[int, int, int]]:
    postgres.sql("VACUUM", "runstead")
    rows = [line.split("|") for line in postgres.sql(SIZES, "runstead").splitlines()]
    groups, log, transactions = postgres.sql(COUNTS, "runstead").split("|")
    sizes = {name: (int(size), int(indexes)) for name, size, indexes in rows}
    return sizes, (int(groups), int(float(log)), int(transactions))


def _told(monitor: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{monitor}/varz", timeout=10) as answer:
        return int(json.load(answer)["in_msgs"])


async def _kept(url: str) -> tuple[int, int]:
    client = await nats.connect(url)
    try:
        state = (await client.jetstream().stream_info("runstead_events_1")).state
        return state.messages, state.bytes
    finally:
        await client.close()


def main() -> None:
    """Both engines, the same runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=600)
    parser.add_argument("--warm", type=int, default=60, help="runs before anything is measured")
    parser.add_argument("--per-thread", type=int, default=3)
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--model", default="burst-100", help="as upstream.py has them; a piece has 7 bytes or so")
    parser.add_argument("--question", type=int, default=240, help="bytes in a question")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with targets.upstream() as upstream:
        on_sqlite(upstream, options)
        on_postgres(upstream, options)


if __name__ == "__main__":
    main()
