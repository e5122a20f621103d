"""Several NATS servers that form a cluster, each on ports of its own."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import nats
from nats.errors import Error
from nats.js.api import ClusterInfo

from tests.acceptance.waiting import eventually
from tests.contract.bus.nats_server import NatsServer


@dataclass(frozen=True)
class NatsServers:
    """A cluster; its servers are called `s0`, `s1` and so on."""

    servers: list[NatsServer]

    @classmethod
    @contextmanager
    def started(cls, folder: Path, size: int) -> Iterator[Self]:
        """A cluster that has elected who leads it."""
        with ExitStack() as taken:
            sockets = [taken.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(size)]
            ports = [each.getsockname()[1] for each in sockets]
        routes = ",".join(f"nats://127.0.0.1:{port}" for port in ports)
        servers = [
            NatsServer(
                folder / f"s{number}",
                *("-n", f"s{number}", "--cluster_name", "three"),
                *("--cluster", f"nats://127.0.0.1:{port}", "--routes", routes),
            )
            for number, port in enumerate(ports)
        ]
        with ExitStack() as running:
            for server in servers:
                server.start()
                running.callback(server.kill)
            cluster = cls(servers)
            eventually(lambda: asyncio.run(cluster._is_led()))
            yield cluster

    @property
    def url(self) -> str:
        """Every server's address."""
        return ",".join(server.url for server in self.servers)

    def kill_leader(self, stream: str) -> None:
        """Kill the server that leads a stream."""
        name = asyncio.run(self._leader(stream))
        self.servers[int(name.removeprefix("s"))].kill()

    def copies(self, stream: str) -> int:
        """On how many servers a stream is kept."""
        return 1 + len(asyncio.run(self._cluster_of(stream)).replicas or [])

    async def _leader(self, stream: str) -> str:
        leader = (await self._cluster_of(stream)).leader
        assert leader is not None
        return leader

    async def _cluster_of(self, stream: str) -> ClusterInfo:
        client = await nats.connect(self.servers[0].url)
        info = await client.jetstream().stream_info(stream)
        await client.close()
        assert info.cluster is not None
        return info.cluster

    async def _is_led(self) -> bool:
        try:
            client = await nats.connect(self.servers[-1].url)
            try:
                await client.jetstream(timeout=1.0).account_info()
            finally:
                await client.close()
        except (Error, OSError):
            return False
        return True
