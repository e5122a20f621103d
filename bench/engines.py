"""A cluster to measure: PostgreSQL that flushes, NATS, the upstream, and nodes that can be killed and replaced."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import targets

# The servers that the tests bring along.
sys.path.append(str(targets.HERE.parent))
from tests.contract.bus.nats_server import NatsServer
from tests.contract.postgres_server import PostgresServer, a_server

# As operators run it: nothing acknowledged is only in memory.
DURABLE = {"fsync": "on", "full_page_writes": "on", "autovacuum": "on", "max_connections": "100"}
ANY_CORE = {0, 1}
ENDS = ("completed", "failed", "cancelled", "expired", "incomplete")


@dataclass
class Node:
    """One process that serves the cluster."""

    child: subprocess.Popen[str]
    port: int

    def kill(self) -> None:
        """As a power cut does."""
        os.kill(self.child.pid, signal.SIGKILL)
        self.child.wait()


@dataclass
class Cluster:
    """Engines, and the nodes that were started on them."""

    postgres: PostgresServer
    nats: NatsServer
    environment: dict[str, str]
    _all: ExitStack
    nodes: list[Node] = field(default_factory=list)

    def start(self, role: str = "all") -> Node:
        """One more node."""
        command = [sys.executable, "-m", "runstead", "serve", "--port", "0", "--role", role]
        child = self._all.enter_context(targets.process(command, ANY_CORE, self.environment))
        assert child.stdout is not None
        line = child.stdout.readline()
        if not line:
            raise SystemExit("a node did not start")
        return Node(child, int(line.strip().rpartition(":")[2].partition("/")[0]))

    @property
    def url(self) -> str:
        """Of the database, for whoever wants to look at rows."""
        return self.postgres.url("bench")


@contextmanager
def cluster(*roles: str, **variables: str) -> Iterator[Cluster]:
    """Nodes of these roles on engines of their own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = stack.enter_context(a_server(**DURABLE))
        postgres.sql("CREATE DATABASE bench")
        nats = NatsServer(folder / "nats")
        nats.start()
        stack.callback(nats.kill)
        port = stack.enter_context(targets.upstream())
        environment = {
            "RUNSTEAD_DATA_DIR": str(folder),
            "RUNSTEAD_DATABASE_URL": postgres.url("bench"),
            "RUNSTEAD_NATS_URL": nats.url,
            "RUNSTEAD_MODEL_URL": f"http://127.0.0.1:{port}/v1",
            "RUNSTEAD_MODEL_WINDOW": "128000",
            "RUNSTEAD_LOG_LEVEL": "warning",
            **variables,
        }
        made = Cluster(postgres, nats, environment, stack)
        made.nodes = [made.start(role) for role in roles]
        yield made


def percentile(values: list[float], share: float) -> float:
    """The value that this share of all does not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
