import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import nats
import pytest

from runstead.bus.local import LocalBus
from runstead.bus.nats import NatsBus
from runstead.bus.nats_dialing import Connecting
from runstead.bus.nats_streams import Streams
from runstead.ports import Bus, Tail
from runstead.wire.base import RunId
from runstead.wire.events import StreamEvent
from tests.contract.bus.nats_server import NatsServer

OpenBus = Callable[..., Awaitable[NatsBus]]


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One for all tests of a process; those that hurt their server start their own."""
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def prefix() -> str:
    """Subjects that no other test uses."""
    return f"test-{secrets.token_hex(6)}"


@pytest.fixture
async def open_bus(nats_server: NatsServer, prefix: str) -> AsyncIterator[OpenBus]:
    """Opens nodes of one cluster; they are closed, and their streams deleted, in the end."""
    is_used: list[bool] = []
    async with AsyncExitStack() as stack:

        async def open(
            server: NatsServer = nats_server, *, max_outbox: int = 2**23, max_buffer: int = 2**18, **streams: Any
        ):
            is_used.append(True)
            # A server that lives as long as its tests needs no disk, which may be busy.
            streams.setdefault("storage", "memory" if server is nats_server else "file")
            bus = NatsBus(
                Connecting(url=server.url),
                Streams(prefix=prefix, max_bytes=2**26, **streams),
                max_outbox=max_outbox,
                max_buffer=max_buffer,
            )
            await bus.open()
            stack.push_async_callback(bus.close)
            return bus

        yield open
    if is_used:
        await delete_streams(nats_server, prefix)


async def delete_streams(server: NatsServer, prefix: str) -> None:
    client = await nats.connect(server.url)
    js = client.jetstream()
    for info in await js.streams_info():
        if str(info.config.name).startswith(f"{prefix}_"):
            await js.delete_stream(str(info.config.name))
    await client.close()


class Far:
    """Two nodes as one bus: what is said on one is heard on the other."""

    def __init__(self, here: NatsBus, there: NatsBus) -> None:
        self._here, self._there = here, there
        self.offer, self.offer_to, self.cancel, self.emit = here.offer, here.offer_to, here.cancel, here.emit
        self.push = here.push
        self.offers, self.cancels, self.stop = there.offers, there.cancels, there.stop

    async def history(self, run_id: RunId) -> list[StreamEvent]:
        await self._arrived(run_id)
        return await self._there.history(run_id)

    @asynccontextmanager
    async def tail(self, run_id: RunId, after: tuple[int, int] | None) -> AsyncIterator[Tail]:
        await self._arrived(run_id)
        async with self._there.tail(run_id, after) as tail:
            yield tail

    async def _arrived(self, run_id: RunId) -> None:
        """What was emitted has left its node: no promise of the bus, but the ground that these tests stand on."""
        await self._here._settle(self._here._streams.events_of(run_id))


# Another adapter joins here.
@pytest.fixture(params=["local", "nats", "nats-far"])
async def bus(request: pytest.FixtureRequest, open_bus: OpenBus) -> Bus:
    """Each adapter in turn, empty."""
    if request.param == "local":
        return LocalBus()
    node = await open_bus()
    return Far(node, await open_bus()) if request.param == "nats-far" else node


@pytest.fixture
def mortal(tmp_path) -> Iterator[NatsServer]:
    """A server of this test's own, to be killed."""
    server = NatsServer(tmp_path / "nats")
    server.start()
    yield server
    server.kill()
