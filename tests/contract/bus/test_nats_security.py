"""Who is spoken to, in private, and as whom: certificates of an authority of one's own, passwords, credentials."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from runstead.bus.nats import NatsBus
from runstead.bus.nats_dialing import Connecting
from runstead.bus.nats_errors import UnusableBus
from runstead.bus.nats_streams import Streams
from tests.contract.bus.events import RUN, some
from tests.contract.bus.nats_accounts import write_account
from tests.contract.bus.nats_server import NatsServer

STREAMS = Streams(max_bytes=2**20)


class Tls:
    """An authority, a server with a certificate of it, and a client that trusts it."""

    def __init__(self, folder: Path) -> None:
        authority, other = trustme.CA(), trustme.CA()
        self.ca, self.other_ca = folder / "ca.pem", folder / "other-ca.pem"
        self.cert, self.key = folder / "client.pem", folder / "client.key"
        authority.cert_pem.write_to_path(self.ca)
        other.cert_pem.write_to_path(self.other_ca)
        server, client = authority.issue_cert("127.0.0.1"), authority.issue_cert("runstead@example.org")
        server.cert_chain_pems[0].write_to_path(folder / "server.pem")
        server.private_key_pem.write_to_path(folder / "server.key")
        client.cert_chain_pems[0].write_to_path(self.cert)
        client.private_key_pem.write_to_path(self.key)
        self.arguments = ["--tls", "--tlscert", str(folder / "server.pem"), "--tlskey", str(folder / "server.key")]


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return Tls(tmp_path_factory.mktemp("tls"))


@contextmanager
def a_server(folder: Path, *arguments: str, jetstream: bool = True) -> Iterator[NatsServer]:
    server = NatsServer(folder, *arguments, jetstream=jetstream)
    server.start()
    yield server
    server.kill()


async def told(connecting: Connecting) -> None:
    """An event goes there and comes back."""
    bus = NatsBus(connecting, STREAMS)
    await bus.open()
    bus.emit(RUN, some(0, 1))
    assert await bus.history(RUN) == some(0, 1)
    await bus.close()


async def refusal(connecting: Connecting) -> str:
    """The sentence with which an opening ends that would be patient."""
    with pytest.raises(UnusableBus) as refused:
        await opened_in_vain(connecting)
    return str(refused.value)


async def opened_in_vain(connecting: Connecting) -> None:
    bus = NatsBus(connecting, STREAMS)
    try:
        await bus.open(60)
    finally:
        await bus.close()


@pytest.mark.parametrize("scheme", ["nats", "tls"])
async def test_a_private_authority_is_trusted_when_it_is_named(tls, tmp_path, scheme):
    with a_server(tmp_path / "nats", *tls.arguments, "--user", "u", "--pass", "p") as server:
        url = server.url.replace("nats://", f"{scheme}://u:p@")
        await told(Connecting(url=url, ca_file=tls.ca))


@pytest.mark.parametrize("named", ["none", "another"])
async def test_a_server_that_cannot_be_trusted_is_refused_at_once(tls, tmp_path, named):
    with a_server(tmp_path / "nats", *tls.arguments) as server:
        words = await refusal(Connecting(url=server.url, ca_file=tls.other_ca if named == "another" else None))
    assert "its certificate is not trusted" in words
    assert "RUNSTEAD_NATS_CA" in words


async def test_a_certificate_for_another_name_is_refused(tls, tmp_path):
    with a_server(tmp_path / "nats", *tls.arguments) as server:
        words = await refusal(Connecting(url=server.url.replace("127.0.0.1", "localhost"), ca_file=tls.ca))
    assert "Hostname mismatch" in words


async def test_a_server_that_asks_for_a_certificate_gets_it(tls, tmp_path):
    arguments = [*tls.arguments, "--tlsverify", "--tlscacert", str(tls.ca)]
    with a_server(tmp_path / "nats", *arguments) as server:
        await told(Connecting(url=server.url, ca_file=tls.ca, cert_file=tls.cert, key_file=tls.key))


async def test_a_server_that_asks_for_a_certificate_in_vain_says_so(tls, tmp_path):
    arguments = [*tls.arguments, "--tlsverify", "--tlscacert", str(tls.ca)]
    with a_server(tmp_path / "nats", *arguments) as server:
        words = await refusal(Connecting(url=server.url, ca_file=tls.ca))
    assert "set RUNSTEAD_NATS_CERTIFICATE" in words


@pytest.mark.parametrize("how", ["by its address", "by an authority"])
async def test_nothing_secret_is_said_to_a_server_without_tls(tls, how):
    heard: list[bytes] = []
    over = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        info = {"server_id": "x", "version": "2.12.0", "headers": True, "max_payload": 2**20, "auth_required": True}
        writer.write(b"INFO " + json.dumps(info).encode() + b"\r\n")
        while line := await reader.readline():
            heard.append(line)
        writer.close()
        over.set()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        scheme, ca = ("tls", None) if how == "by its address" else ("nats", tls.ca)
        words = await refusal(Connecting(url=f"{scheme}://u:secret@127.0.0.1:{port}", ca_file=ca))
        await over.wait()
    assert "it offers no TLS" in words
    assert heard == []


@pytest.mark.parametrize("missing", ["ca_file", "cert_file", "credentials"])
async def test_a_file_that_is_not_there_is_named(tmp_path, missing):
    words = await refusal(Connecting(url="nats://127.0.0.1:1", **{missing: tmp_path / "nowhere"}))
    assert "cannot be read" in words
    assert "No such file" in words


async def test_a_file_of_credentials_proves_who_we_are(tmp_path):
    config, credentials = write_account(tmp_path)
    with a_server(tmp_path, "-c", str(config), jetstream=False) as server:
        await told(Connecting(url=server.url, credentials=credentials))


async def test_credentials_of_somebody_else_are_refused(tmp_path):
    (theirs := tmp_path / "theirs").mkdir()
    config, _ = write_account(tmp_path)
    _, credentials = write_account(theirs)
    with a_server(tmp_path, "-c", str(config), jetstream=False) as server:
        assert "it refused the credentials" in await refusal(Connecting(url=server.url, credentials=credentials))


async def test_credentials_that_are_replaced_are_read_anew(tmp_path):
    (later := tmp_path / "later").mkdir()
    config, credentials = write_account(tmp_path)
    new_config, new_credentials = write_account(later)
    server = NatsServer(tmp_path, "-c", str(config), jetstream=False)
    server.start()
    bus = NatsBus(Connecting(url=server.url, credentials=credentials), STREAMS)
    await bus.open()
    server.kill()
    config.write_text(new_config.read_text())
    credentials.write_text(new_credentials.read_text())
    server.start()

    async with asyncio.timeout(20):
        while not bus.is_connected:
            await bus._connection.wait()
            await asyncio.sleep(0)
    bus.emit(RUN, some(0, 1))
    assert await bus.history(RUN) == some(0, 1)

    await bus.close()
    server.kill()


DAMAGES = {
    "nothing": b"",
    "no seed": b"-----BEGIN NATS USER JWT-----\nabc\n------END NATS USER JWT------\n",
    "a seed of nonsense": b"-----BEGIN NATS USER JWT-----\nabc\n------END NATS USER JWT------\n"
    b"-----BEGIN USER NKEY SEED-----\nSUABC\n------END USER NKEY SEED------\n",
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_file_that_holds_no_credentials_is_named(tmp_path, damage):
    file = tmp_path / "user.creds"
    file.write_bytes(DAMAGES[damage])
    words = await refusal(Connecting(url="nats://127.0.0.1:1", credentials=file))
    assert f"the credentials in {file} cannot be read" in words


async def test_a_damaged_seed_is_told_from_a_wrong_one(tmp_path):
    _, credentials = write_account(tmp_path)
    lines = credentials.read_text().splitlines()
    place = lines.index("-----BEGIN USER NKEY SEED-----") + 1
    was = lines[place]
    lines[place] = was[:20] + ("B" if was[20] == "A" else "A") + was[21:]
    credentials.write_text("\n".join(lines))
    words = await refusal(Connecting(url="nats://127.0.0.1:1", credentials=credentials))
    assert "its seed is damaged" in words
    assert was not in words


async def test_a_user_needs_no_more_rights_than_the_documented_ones(tmp_path):
    config = tmp_path / "nats.conf"
    config.write_text(
        f'jetstream {{ store_dir: "{tmp_path / "data"}" }}\n'
        "authorization { users: [{ user: u, password: p, permissions: {\n"
        '  publish: ["runstead.>", "$JS.API.>", "$JS.ACK.>"], subscribe: ["runstead.>", "_INBOX.>"]\n'
        "}}]}\n"
    )
    with a_server(tmp_path, "-c", str(config), jetstream=False) as server:
        connecting = Connecting(url=server.url.replace("//", "//u:p@"))
        here, there = NatsBus(connecting, STREAMS), NatsBus(connecting, STREAMS)
        await here.open()
        await there.open()
        cancels = there.cancels("node")
        await here.cancel("node", RUN)
        await here.offer(RUN)
        async with asyncio.timeout(10):
            assert await anext(cancels) == RUN
            assert await anext(there.offers()) == RUN
            async with there.tail(RUN, None) as tail:
                here.emit(RUN, some(0, 1))
                assert list(await tail.next(5.0)) == some(0, 1)
        assert await there.history(RUN) == some(0, 1)
        for bus in (here, there):
            assert bus._connection._client is not None
            assert bus._connection._client.refusal is None
            await bus.close()
