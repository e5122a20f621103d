"""What is refused at the start, and in which words."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from structlog.testing import capture_logs

from runstead.bus.nats import NatsBus
from runstead.bus.nats_dialing import Connecting
from runstead.bus.nats_errors import UnusableBus
from runstead.bus.nats_streams import Streams
from tests.contract.bus.conftest import OpenBus
from tests.contract.bus.events import RUN, some
from tests.contract.bus.nats_server import NatsServer


async def refusal(url: str, patience: float = 0.5, **streams) -> str:
    bus = NatsBus(Connecting(url=url), Streams(max_bytes=2**20, **streams))
    with pytest.raises(UnusableBus) as refused:
        await bus.open(patience)
    await bus.close()
    return str(refused.value)


@contextmanager
def a_server(folder, *arguments: str, jetstream: bool = True) -> Iterator[NatsServer]:
    server = NatsServer(folder, *arguments, jetstream=jetstream)
    server.start()
    yield server
    server.kill()


@pytest.mark.parametrize(
    ("host", "reason"),
    [("127.0.0.1", "nobody listens there"), ("no-such-host.invalid", "")],
    ids=["nobody-listens", "unknown-host"],
)
async def test_where_nobody_answers_a_node_starts_without_and_says_so(host, reason):
    with socket.socket() as unused, capture_logs() as logs:
        unused.bind(("127.0.0.1", 0))
        bus = NatsBus(Connecting(url=f"nats://u:secret@{host}:{unused.getsockname()[1]}"), Streams())
        await bus.open(0.3)
        assert not bus.is_connected
        async with bus.tail(RUN, None) as tail:
            bus.emit(RUN, some(0, 1))
            assert list(await tail.next(1.0)) == some(0, 1)
        await bus.close()
    [said] = [log for log in logs if log["event"] == "nats not reached, started without it"]
    assert reason in said["reason"]
    assert "secret" not in str(logs)


async def test_a_server_that_comes_later_is_found(tmp_path, prefix):
    with a_server(tmp_path / "nats") as server:
        server.kill()
        bus = NatsBus(Connecting(url=server.url), Streams(prefix=prefix, max_bytes=2**20))
        await bus.open(0.3)
        bus.emit(RUN, some(0, 1))
        server.start()
        async with asyncio.timeout(10):
            await bus._connection.wait()
        assert await bus.history(RUN) == some(0, 1)
        await bus.close()


async def test_a_server_without_jetstream(tmp_path):
    with a_server(tmp_path, jetstream=False) as server:
        assert "JetStream is not enabled or has no leader; start it with -js" in await refusal(server.url)


async def test_an_account_without_jetstream(tmp_path):
    config = tmp_path / "nats.conf"
    config.write_text(
        f'jetstream {{ store_dir: "{tmp_path / "data"}" }}\n'
        "accounts { ours: { users: [{user: u, password: p}] }, theirs: { jetstream: enabled } }\n"
    )
    with a_server(tmp_path, "-c", str(config), jetstream=False) as server:
        words = await refusal(server.url.replace("//", "//u:p@"))
    assert "enable it for this user's account" in words


async def test_a_server_with_too_little_room(tmp_path):
    config = tmp_path / "nats.conf"
    config.write_text(f'jetstream {{ store_dir: "{tmp_path / "data"}", max_file_store: 512KB }}\n')
    with a_server(tmp_path, "-c", str(config), jetstream=False) as server:
        words = await refusal(server.url)
    assert "JetStream has too little room" in words
    assert "max_file_store" in words


async def test_a_user_who_may_not_do_what_is_needed(tmp_path):
    config = tmp_path / "nats.conf"
    config.write_text(
        f'jetstream {{ store_dir: "{tmp_path / "data"}" }}\n'
        'authorization { users: [{user: u, password: p, permissions: {publish: ["runstead.>"], subscribe: [">"]}}] }\n'
    )
    with a_server(tmp_path, "-c", str(config), jetstream=False) as server:
        words = await refusal(server.url.replace("//", "//u:p@"), patience=10)
    assert "its user may not do what is needed" in words
    assert 'publish to "$js.api' in words


async def test_wrong_credentials_are_refused_at_once_and_never_shown(tmp_path):
    with a_server(tmp_path / "nats", "--user", "u", "--pass", "right") as server:
        address = server.url.removeprefix("nats://")
        words = await refusal(f"nats://u:wrong@{address}", patience=60)
        assert "it refused the credentials" in words
        assert "wrong" not in words


async def test_credentials_in_the_address(open_bus: OpenBus, tmp_path, prefix):
    with a_server(tmp_path / "nats", "--user", "u", "--pass", "right") as server:
        url = server.url.replace("nats://", "nats://u:right@")
        bus = NatsBus(
            Connecting(url=f"nats://127.0.0.1:1, {url}"), Streams(prefix=prefix, max_bytes=2**20, storage="memory")
        )
        await bus.open()
        bus.emit(RUN, some(0, 1))
        assert await bus.history(RUN) == some(0, 1)
        await bus.close()


async def test_more_replicas_than_servers(nats_server):
    words = await refusal(nats_server.url, replicas=3, prefix="test-replicas")
    assert "RUNSTEAD_NATS_REPLICAS can be no more than its servers" in words


async def test_a_server_that_is_too_old():
    async with a_listener("2.9.25") as url:
        assert "it is version 2.9, and 2.10 is the oldest that will do" in await refusal(url)


async def test_something_that_is_no_nats_server_is_not_waited_for():
    async with a_listener(None) as url:
        with capture_logs() as logs:
            bus = NatsBus(Connecting(url=url), Streams())
            await bus.open(0.3)
            await bus.close()
    assert any("empty response from server" in log.get("reason", "") for log in logs)


@asynccontextmanager
async def a_listener(version: str | None) -> AsyncIterator[str]:
    """Greets like a NATS server of some version, or like something else."""
    greetings: list[asyncio.Task[None] | None] = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greetings.append(asyncio.current_task())
        info = {"server_id": "x", "version": version, "headers": True, "max_payload": 2**20, "proto": 1}
        greeting = b"220 mail.example ESMTP\r\n" if version is None else b"INFO " + json.dumps(info).encode() + b"\r\n"
        writer.write(greeting)
        while line := await reader.readline():
            if line == b"PING\r\n":
                writer.write(b"PONG\r\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        yield f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.gather(*(greeting for greeting in greetings if greeting is not None))


@pytest.mark.parametrize("prefix", ["", "a.b", "a b", "*", "ü"])
def test_a_prefix_that_is_none(prefix):
    with pytest.raises(ValueError, match="no prefix"):
        Streams(prefix=prefix)


async def test_settings_that_changed_are_brought_in(open_bus: OpenBus):
    bus = await open_bus(max_events=50)
    bus.emit(RUN, some(0, 1))
    other = await open_bus(max_events=60)
    assert await other.history(RUN) == some(0, 1)
