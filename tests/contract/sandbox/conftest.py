import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from shutil import which

import pytest
import trustme

from runstead.ports import SandboxUnavailable
from runstead.sandbox import bubblewrap, environment
from runstead.sandbox.box import Launcher
from runstead.sandbox.choice import Candidate, choose
from runstead.sandbox.gvisor import Gvisor
from runstead.sandbox.limits import MIB, Limits
from runstead.sandbox.machine import Machine
from runstead.sandbox.node import Node
from runstead.sandbox.remote import Remote
from runstead.sandbox.sessions import Sessions
from tests.contract.sandbox.asking import Asked

SECRET = secrets.token_urlsafe(24)
LIMITS = Limits(
    memory=256 * MIB,
    disk=32 * MIB,
    scratch=16 * MIB,
    shared=8 * MIB,
    logs=100_000,
    files=10,
    images=5,
    image=1 * MIB,
    grace=1.5,
    harvest=20,
    warm=0,
    sessions=8,
)
"""Small ones, so that bombs go off early."""

found_out: dict[str, str] = {}
"""Why a launcher cannot be used here, or nothing; tried once."""


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def certificates(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a node's certificate and key in one file, and whom it comes from in another."""
    folder = tmp_path_factory.mktemp("certificates")
    authority.cert_pem.write_to_path(folder / "authority.pem")
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(folder / "node.pem")
    return folder


def machine() -> Machine:
    prepared = os.environ.get("RUNSTEAD_TEST_PACKAGES")
    return Machine(environment=environment.find(Path(prepared)) if prepared else None)


def local(name: str, limits: Limits, place: Machine | None = None) -> Launcher:
    """A launcher on this machine."""
    if name == "gvisor":
        return Gvisor(Path(which("runsc") or "/nowhere/runsc"), limits, place or machine())
    return bubblewrap.Bubblewrap(bubblewrap.programs()[0], limits, place or machine())


async def require(name: str) -> None:
    """Skip a test whose launcher does not hold here. Where code is judged, bubblewrap has to."""
    kind = "bubblewrap" if name == "remote" else name
    if kind not in found_out:
        try:
            way = Candidate(kind, lambda: local(kind, LIMITS))
            if kind == "gvisor" and which("runsc") is None:
                way = Candidate(kind, None, "runsc is not installed")
            await (await choose([way], LIMITS)).close()
            found_out[kind] = ""
        except SandboxUnavailable as reason:
            found_out[kind] = str(reason)
    if found_out[kind]:
        if kind == "bubblewrap" and os.environ.get("CI"):
            pytest.fail(found_out[kind])
        pytest.skip(found_out[kind])


@pytest.fixture(params=["bubblewrap", "remote", "gvisor"])
async def launcher(request: pytest.FixtureRequest, certificates: Path) -> AsyncIterator[Launcher]:
    """Each way to run code that this machine has."""
    await require(request.param)
    async with AsyncExitStack() as stack:
        if request.param != "remote":
            one = local(request.param, LIMITS)
            stack.push_async_callback(one.close)
            yield one
            return
        node = Node(local("bubblewrap", LIMITS), LIMITS, SECRET, most=8)
        stack.push_async_callback(node.close)
        server = await node.listen("127.0.0.1", 0, certificates / "node.pem", None)
        stack.callback(server.close)
        port = server.sockets[0].getsockname()[1]
        yield Remote(f"tls://localhost:{port}", SECRET, certificates / "authority.pem")


@pytest.fixture
async def sandbox(launcher: Launcher) -> AsyncIterator[Sessions]:
    sessions = Sessions(launcher, LIMITS)
    yield sessions
    await sessions.close()


@pytest.fixture
async def local_sandbox() -> AsyncIterator[Sessions]:
    """On this machine, for what does not depend on the launcher."""
    await require("bubblewrap")
    sessions = Sessions(local("bubblewrap", LIMITS), LIMITS)
    yield sessions
    await sessions.close()


@pytest.fixture
def asked(sandbox: Sessions) -> Asked:
    return Asked(sandbox)


@pytest.fixture
def asked_locally(local_sandbox: Sessions) -> Asked:
    return Asked(local_sandbox)


@pytest.fixture
async def listening() -> AsyncIterator[tuple[int, list[str]]]:
    """A port of this machine on loopback, and who came."""
    came: list[str] = []

    def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append("somebody")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], came
    server.close()
    await server.wait_closed()


@pytest.fixture
def abstract_name() -> Iterator[str]:
    name = f"runstead-test-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0{name}")
        server.listen()
        yield name
