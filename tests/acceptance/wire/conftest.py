"""The server spoken to over plain HTTP, and a scene with one object of every kind."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.acceptance.processes import Server
from tests.acceptance.scripted import Model, ScriptedServer
from tests.acceptance.wire.drama import Drama, Starter
from tests.acceptance.wire.talk import Api


@pytest.fixture(scope="session")
def api(server: Server) -> Api:
    """The shared server, with default settings."""
    return Api(server.url)


@pytest.fixture
def drama(api: Api, model: Model) -> Drama:
    """An assistant with a function whose model the test scripts, and a thread with a greeting."""
    return Drama.open(api, model)


@pytest.fixture
def starter(scripted: ScriptedServer, data_dir) -> Iterator[Starter]:
    """Starts servers of the test's own on one data folder; none outlives the test."""
    with ExitStack() as running:
        yield Starter(data_dir, scripted.url, running)
