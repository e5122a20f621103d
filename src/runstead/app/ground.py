"""What a node stands on: its store, its bus and its clock."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from runstead.app.extras import extra
from runstead.bus.local import LocalBus
from runstead.ports import Bus, Clock, Store
from runstead.settings import Settings
from runstead.store.errors import UnusableDatabase
from runstead.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from runstead.bus.nats_dialing import Connecting
    from runstead.bus.nats_streams import Streams


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Unix seconds."""
        return time.time()


class NodeBus(Bus, Protocol):
    """A bus as its node sees it: it can be stopped, and it may be cut off from the others."""

    @property
    def is_connected(self) -> bool: ...

    def stop(self) -> None: ...


class Ground(Struct, frozen=True):
    """What a node stands on: where truth is kept, who is told, and whose clock judges leases."""

    store: Store
    bus: NodeBus
    clock: Clock
    # Whether nobody else serves this store: then every lease found at the start is a dead worker's.
    is_alone: bool


@asynccontextmanager
async def stand(settings: Settings) -> AsyncIterator[Ground]:
    """Raises UnusableDatabase or UnusableBus."""
    async with AsyncExitStack() as stack:
        if not settings.is_postgres:
            clock = SystemClock()
            _make_folder(settings.database_path)
            file = await SqliteStore.open_file(settings.database_path, clock)
            stack.push_async_callback(file.close)
            yield Ground(file, LocalBus(), clock, is_alone=True)
            return
        with extra("cluster"):
            from runstead.store.postgres import PostgresStore
            from runstead.store.postgres_connections import Limits
            from runstead.store.postgres_membership import Membership
            from runstead.store.postgres_opening import once_it_answers
        is_alone = settings.nats_url is None
        url, limits = settings.database_url, Limits(readers=settings.database_connections)
        membership = Membership(url, is_alone=is_alone)
        await once_it_answers(membership.join, settings.database_wait)
        stack.push_async_callback(membership.leave)
        store = await once_it_answers(lambda: PostgresStore.open(url, limits=limits), settings.database_wait)
        stack.push_async_callback(store.close)
        bus = await _open_bus(settings, stack)
        yield Ground(store, bus, store.clock, is_alone=is_alone)


async def _open_bus(settings: Settings, stack: AsyncExitStack) -> NodeBus:
    if settings.nats_url is None:
        return LocalBus()
    with extra("cluster"):
        from runstead.bus.nats import NatsBus

    bus = NatsBus(*bus_of(settings))
    stack.push_async_callback(bus.close)
    await bus.open()
    return bus


def bus_of(settings: Settings) -> "tuple[Connecting, Streams]":
    from runstead.bus.nats_dialing import Connecting
    from runstead.bus.nats_streams import Streams

    connecting = Connecting(
        url=settings.nats_url or "",
        credentials=settings.nats_credentials,
        ca_file=settings.nats_ca,
        cert_file=settings.nats_certificate,
        key_file=settings.nats_certificate_key,
    )
    return connecting, Streams(replicas=settings.nats_replicas, max_bytes=settings.nats_max_bytes)


def _make_folder(database: Path) -> None:
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnusableDatabase(str(database), f"its folder cannot be made ({error.strerror})") from error
