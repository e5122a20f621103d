"""One server, one scripted model server and one client for a session; a model of its own for each test."""

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from openai import OpenAI

from tests.acceptance import recording
from tests.acceptance.processes import Server, scripted_server, start_server
from tests.acceptance.scene import CLOCK, WEATHER, Scene
from tests.acceptance.scripted import Model, ScriptedServer

KEY = "sk-any-key"
_numbers = count(1)


@pytest.fixture(scope="session", autouse=True)
def recorded() -> Iterator[None]:
    """What the clients are answered is judged afterwards, all together."""
    with recording.listening():
        yield


@pytest.fixture(scope="session")
def scripted() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


@pytest.fixture(scope="session")
def server(scripted: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with default settings. Whatever the tests did to it, it must have had no error of its own."""
    with start_server(tmp_path_factory.mktemp("server"), scripted.url) as running:
        yield running
        assert running.stop() == 0
        assert running.complaints == []


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=server.url, api_key=KEY, timeout=60) as connected:
        yield connected


@pytest.fixture
def model(scripted: ScriptedServer, request: pytest.FixtureRequest) -> Model:
    """A model that nobody else uses, named after the test."""
    return scripted.model(f"m{next(_numbers)}-{re.sub(r'[^a-z0-9]+', '-', request.node.name.lower()).strip('-')}")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """An empty folder for a server of the test's own."""
    return tmp_path / "data"


@pytest.fixture
def scene(client: OpenAI, model: Model) -> Scene:
    """An assistant without tools and a thread in which a user said hello."""
    return Scene.open(client, model, "Hello")


@pytest.fixture
def scene_with_tools(client: OpenAI, model: Model) -> Scene:
    """An assistant with two functions, and a user who asks for both."""
    return Scene.open(client, model, "Weather and time in Oslo?", tools=[WEATHER, CLOCK])
