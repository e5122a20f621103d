"""Several nodes on one PostgreSQL and one NATS, each a process of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.acceptance.cluster.lines import Line, lines
from tests.acceptance.processes import Server, start_server
from tests.acceptance.scripted import Model, ScriptedServer
from tests.acceptance.wire.drama import Drama
from tests.acceptance.wire.talk import Api
from tests.contract.bus.nats_server import NatsServer
from tests.contract.postgres_server import PostgresServer, a_server

_numbers = count(1)
SHORT = {"RUNSTEAD_LEASE_FOR": "2"}
"""For tests that wait for the end of a lease and not for its length."""


@dataclass
class Cluster:
    """Starts nodes that serve one database."""

    postgres: PostgresServer
    nats: NatsServer
    database: str
    folder: Path
    model_url: str
    _all: ExitStack
    _line: Callable[[int], Line]
    nodes: list[Server] = field(default_factory=list)

    def node(self, *arguments: str, **variables: str) -> Server:
        """One more node."""
        settings = {
            "RUNSTEAD_DATABASE_URL": self.postgres.url(self.database),
            "RUNSTEAD_NATS_URL": self.nats.url,
            "RUNSTEAD_DRAIN_FOR": "5",
            **variables,
        }
        folder = self.folder / f"node-{len(self.nodes)}"
        server = self._all.enter_context(start_server(folder, self.model_url, *arguments, **settings))
        self.nodes.append(server)
        return server

    def line_to_postgres(self) -> tuple[Line, dict[str, str]]:
        """A line to the database, and what a node is told so that it uses it."""
        line = self._line(self.postgres.port)
        return line, {"RUNSTEAD_DATABASE_URL": f"postgresql://postgres@127.0.0.1:{line.port}/{self.database}"}

    def line_to_nats(self) -> tuple[Line, dict[str, str]]:
        """A line to NATS, and what a node is told so that it uses it."""
        port = urlsplit(self.nats.url).port
        assert port is not None
        line = self._line(port)
        return line, {"RUNSTEAD_NATS_URL": f"nats://127.0.0.1:{line.port}"}

    def drama(self, node: Server, model: Model) -> Drama:
        """An assistant and a thread, made on this node."""
        return Drama.open(Api(node.url), model)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests; a database for each."""
    with a_server() as running:
        yield running


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    """A server of the test's own, so that it may be killed."""
    server = NatsServer(tmp_path / "nats")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def cluster(postgres: PostgresServer, nats: NatsServer, scripted: ScriptedServer, tmp_path: Path) -> Iterator[Cluster]:
    """No node yet, on an empty database."""
    database = f"cluster{next(_numbers)}"
    postgres.sql(f"CREATE DATABASE {database}")
    with lines() as line, ExitStack() as running:
        yield Cluster(postgres, nats, database, tmp_path, scripted.url, running, line)
