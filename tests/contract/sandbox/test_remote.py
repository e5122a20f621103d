"""Sandboxes of another machine: who may use them, and what happens when the line between breaks."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest
import trustme
from msgspec import Struct

from runstead.ports import SandboxUnavailable
from runstead.sandbox import tunnel
from runstead.sandbox.node import Node
from runstead.sandbox.remote import Remote
from runstead.sandbox.sessions import Sessions
from runstead.sandbox.tunnel import Connection, Hello, Severed
from tests.contract.sandbox.asking import Asked, file, until
from tests.contract.sandbox.conftest import LIMITS, SECRET, local, require


class Lender(Struct, frozen=True):
    node: Node
    server: asyncio.Server
    port: int
    authority: Path
    is_idle: Callable[[], bool]

    def remote(self, secret: str = SECRET, host: str = "localhost") -> Remote:
        return Remote(f"tls://{host}:{self.port}", secret, self.authority)


@pytest.fixture
async def lender(certificates: Path) -> AsyncIterator[Lender]:
    await require("bubblewrap")
    node = Node(local("bubblewrap", LIMITS), LIMITS, SECRET, most=2)
    server = await node.listen("127.0.0.1", 0, certificates / "node.pem", None)
    yield Lender(
        node, server, server.sockets[0].getsockname()[1], certificates / "authority.pem", lambda: node.lent == 0
    )
    server.close()
    await node.close()


async def to_the_end(connection: Connection) -> None:
    while True:
        await connection.receive()


async def refusal(remote: Remote) -> str:
    sessions = Sessions(remote, LIMITS)
    try:
        with pytest.raises(SandboxUnavailable) as caught:
            await Asked(sessions)("1")
        return str(caught.value)
    finally:
        await sessions.close()


async def test_another_secret_opens_nothing(lender: Lender):
    assert "the secret is another one" in await refusal(lender.remote("x" * len(SECRET)))
    assert lender.is_idle()


async def test_a_certificate_of_somebody_elses_is_not_believed(lender: Lender, tmp_path: Path):
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")

    said = await refusal(Remote(f"tls://localhost:{lender.port}", SECRET, tmp_path / "other.pem"))

    assert "certificate verify failed" in said


async def test_a_certificate_for_another_name_is_not_believed(lender: Lender):
    assert "certificate" in await refusal(lender.remote(host="127.0.0.1"))


@pytest.mark.parametrize("content", ["", "no certificate"])
async def test_an_authority_that_is_none_is_named(lender: Lender, tmp_path: Path, content: str):
    path = tmp_path / "authority.pem"
    path.write_text(content)

    said = await refusal(Remote(f"tls://localhost:{lender.port}", SECRET, path))

    assert "RUNSTEAD_SANDBOX_CA" in said


async def test_nobody_there_is_said(lender: Lender):
    port = lender.port
    lender.server.close()
    await lender.server.wait_closed()

    assert f"localhost:{port} does not open a sandbox" in await refusal(lender.remote())


async def test_a_full_machine_says_so(lender: Lender):
    sessions = Sessions(lender.remote(), LIMITS)
    try:
        await Asked(sessions, "thread_one")("1")
        await Asked(sessions, "thread_two")("1")
        with pytest.raises(SandboxUnavailable, match="all 2 sessions of this machine are in use"):
            await Asked(sessions, "thread_three")("1")
        await sessions.release("thread_one")
        await until(lambda: lender.node.lent < 2)
        assert (await Asked(sessions, "thread_three")("'room'")).logs == "'room'\n"
    finally:
        await sessions.close()


async def test_a_server_that_goes_leaves_no_box(lender: Lender):
    sessions = Sessions(lender.remote(), LIMITS)
    await Asked(sessions)("1", file("x", b"x"))
    assert not lender.is_idle()

    await sessions.close()

    await until(lender.is_idle)


async def test_a_broken_line_loses_the_session_and_says_so(lender: Lender):
    sessions = Sessions(lender.remote(), LIMITS)
    asked = Asked(sessions)
    try:
        await asked("x = 1")
        await lender.node.cut()

        outcome = await asked("'x' in globals()")
        if outcome.is_error:
            assert "session has ended" in str(outcome.notice)
            outcome = await asked("'x' in globals()")

        assert outcome.logs == "False\n"
        assert outcome.is_fresh
    finally:
        await sessions.close()


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\xff" * 100,
        tunnel.HELLO + b"\xff\xff\xff\xff",
        tunnel.HELLO + b"\0\0\0\x02{}",
        tunnel.HELLO + b"\0\0\0\x04" + b"\xff\xfe\xfd\xfc",
        tunnel.LINE + b"\0\0\0\x01x",
    ],
)
async def test_strangers_are_told_nothing_and_get_nothing(lender: Lender, said: bytes):
    context = ssl.create_default_context(cafile=lender.authority)
    reader, writer = await asyncio.open_connection("localhost", lender.port, ssl=context)

    writer.write(said)
    if not said:
        writer.close()
    answer = await asyncio.wait_for(reader.read(), 15)
    writer.close()

    assert len(answer) < 100
    assert not answer.startswith(tunnel.WELCOME)
    assert lender.is_idle()


async def test_a_guest_that_talks_nonsense_loses_its_box(lender: Lender):
    context = ssl.create_default_context(cafile=lender.authority)
    reader, writer = await asyncio.open_connection("localhost", lender.port, ssl=context)
    connection = Connection(reader, writer)
    await connection.send(tunnel.HELLO, msgspec.json.encode(Hello(tunnel.VERSION, SECRET)))
    kind, _ = await connection.receive()
    assert kind == tunnel.WELCOME

    await connection.send(tunnel.FILE, b"../../etc/passwd")
    await connection.send(tunnel.WHOLE)
    while (part := await connection.receive())[0] != tunnel.STAGED:
        pass
    assert b"cannot be the name of a file" in part[1]

    await connection.send(tunnel.WELCOME)
    with pytest.raises(Severed):
        await to_the_end(connection)
    await connection.close()
    await until(lender.is_idle)
