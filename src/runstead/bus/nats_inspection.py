"""A look at NATS without joining it: nothing is declared, subscribed to or published."""

from msgspec import Struct
from nats import errors
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from runstead.bus.nats_dialing import Connecting, Dialer, GuardedClient
from runstead.bus.nats_errors import UnusableBus, words
from runstead.bus.nats_streams import ASK_WITHIN, Streams


class BusState(Struct, frozen=True):
    """The server's release, and the copies kept of each of our streams that is there."""

    release: str
    replicas: dict[str, int]
    wanted: tuple[str, ...]

    @property
    def missing(self) -> list[str]:
        """Streams that a start would make."""
        return [name for name in self.wanted if name not in self.replicas]


async def inspect(connecting: Connecting, streams: Streams) -> BusState:
    """Raises UnusableBus."""
    begun: list[Client] = []
    client: GuardedClient | None = None
    try:
        client = await Dialer(connecting, lambda _: None).connect(lambda: None, begun.append)
        return await _look(client, connecting, streams)
    except (errors.Error, OSError, TimeoutError) as error:
        if client is not None and client.refusal is not None:
            raise UnusableBus(connecting.url, f"its user may not do what is needed ({client.refusal})") from error
        raise UnusableBus(connecting.url, words(error)) from error
    finally:
        for each in (*begun, *([] if client is None else [client])):
            await each.close()


async def _look(client: GuardedClient, connecting: Connecting, streams: Streams) -> BusState:
    js = client.jetstream(timeout=ASK_WITHIN)
    account = await js.account_info()
    replicas = {}
    for name in (streams.offers, streams.events):
        try:
            replicas[name] = (await js.stream_info(name)).config.num_replicas or 1
        except NotFoundError:
            continue
    room = account.limits.max_storage - account.storage
    if streams.events not in replicas and account.limits.max_storage >= 0 and room < streams.max_bytes:
        free, needed = f"{room / 2**20:.0f} MiB", f"{streams.max_bytes / 2**20:.0f} MiB"
        raise UnusableBus(connecting.url, f"its account may store {free} more, and events alone take up to {needed}")
    version = client.connected_server_version
    release = f"{version.major}.{version.minor}.{version.patch}"
    return BusState(release, replicas, (streams.offers, streams.events))
