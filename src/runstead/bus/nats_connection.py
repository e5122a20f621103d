"""One connection to NATS after another: each is a client of its own, and what has to be there on it is made anew.

The library could reconnect by itself. It does not here: what it keeps over a reconnect (requests that nobody will
answer, messages of another time, a client that was closed for good by one refusal) is what goes wrong.
"""

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog
from msgspec import Struct
from nats import errors
from nats.aio.client import Client
from nats.js.errors import APIError, ServiceUnavailableError

from runstead.bus.nats_errors import UnusableBus, without_secrets

OLDEST = (2, 10)
CONNECT_WITHIN = 3.0
PAUSE = 0.2
"""Seconds between two tries, give or take a half, so that nodes do not come back in step."""
PING_EVERY = 5
"""The library's own default of two minutes would leave a cut line unnoticed for four."""
LOOK_EVERY = 1.0
MAX_UNSENT = 2**23

log = structlog.get_logger(__name__)


class Connecting(Struct, frozen=True, kw_only=True):
    """Where to, and as whom. Several addresses are separated by commas; user and password may be part of them."""

    url: str
    credentials: Path | None = None
    """A file with an account's JWT and key."""
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    name: str = "runstead"

    @property
    def addresses(self) -> list[str]:
        """Each server's."""
        return [one.strip() for one in self.url.split(",") if one.strip()]

    def tls(self) -> ssl.SSLContext | None:
        """How servers are trusted, and what they are shown. A server that asks for TLS gets it in any case."""
        encrypts = any(one.startswith(("tls://", "wss://")) for one in self.addresses)
        if self.ca_file is None and self.cert_file is None and not encrypts:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.cert_file is not None:
                context.load_cert_chain(self.cert_file, self.key_file)
        except (OSError, ssl.SSLError) as error:
            raise UnusableBus(self.url, f"its certificate files cannot be read ({error})") from error
        return context


Up = Callable[[Client], Awaitable[None]]
Slow = Callable[[str], None]


class Connection:
    """Holds a client while there is one. `on_up` prepares each; `on_slow` is told whose messages were dropped."""

    def __init__(self, connecting: Connecting, on_up: Up, on_down: Callable[[], None], on_slow: Slow) -> None:
        self._connecting = connecting
        self._on_up = on_up
        self._on_down = on_down
        self._on_slow = on_slow
        self._tls = connecting.tls()
        self._client: Client | None = None
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._closings: set[asyncio.Task[None]] = set()
        self.is_closed = False

    @property
    def client(self) -> Client | None:
        """The client, if it is connected and has on it what belongs there."""
        client = self._client
        return client if client is not None and client.is_connected and self._up.is_set() else None

    async def wait(self) -> Client | None:
        """The client once there is one, though it may have died since; None after close()."""
        await self._up.wait()
        return self._client

    async def open(self, patience: float) -> None:
        """Connect for the first time. Raises UnusableBus after `patience` seconds, or when patience is of no use."""
        last: Exception | None = None
        try:
            async with asyncio.timeout(patience):
                while self._client is None:
                    try:
                        self._client = await self._connect()
                        await self._on_up(self._client)
                    except (errors.Error, OSError, TimeoutError) as error:
                        if _is_final(error):
                            raise
                        last = error
                        await self._abandon()
                        await asyncio.sleep(_pause())
        except TimeoutError:
            await self._abandon()
            raise UnusableBus(self._connecting.url, words(last)) from last
        except (errors.Error, OSError, UnusableBus) as error:
            await self._abandon()
            if isinstance(error, UnusableBus):
                raise
            raise UnusableBus(self._connecting.url, words(error)) from error
        self._up.set()
        self._keeper = asyncio.create_task(self._keep(), name="nats connection")

    async def _connect(self) -> Client:
        """A client that is connected, to whichever server answers. Raises what the last one's failure was."""
        failure: Exception = OSError("no address was given")
        addresses = self._connecting.addresses
        for address in random.sample(addresses, len(addresses)):
            client = Client()
            try:
                async with asyncio.timeout(CONNECT_WITHIN):
                    await self._dial(client, address)
                _check(client, address)
                return client
            except (errors.Error, OSError, TimeoutError) as error:
                failure = error
                self._close(client)
            except (asyncio.CancelledError, UnusableBus):
                self._close(client)
                raise
        raise failure

    async def _dial(self, client: Client, address: str) -> None:
        refusal: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

        async def on_error(error: Exception) -> None:
            if isinstance(error, errors.SlowConsumerError):
                # The library drops what does not fit and tells only here.
                self._on_slow(error.subject)
            elif not client.is_connected and not refusal.done():
                refusal.set_result(error)

        async def on_closed() -> None:
            self._down.set()

        dialling = asyncio.ensure_future(
            client.connect(
                [address],
                name=self._connecting.name,
                allow_reconnect=False,
                connect_timeout=int(CONNECT_WITHIN),
                ping_interval=PING_EVERY,
                # What a node publishes its own readers have already seen.
                no_echo=True,
                tls=self._tls,
                user_credentials=None if self._connecting.credentials is None else str(self._connecting.credentials),
                pending_size=MAX_UNSENT,
                # Above this size a publish waits for the socket: not for ever.
                flush_timeout=CONNECT_WITHIN,
                error_cb=on_error,
                closed_cb=on_closed,
            )
        )
        try:
            # With nobody listening there the library tries on and on, and says why only to `on_error`.
            await asyncio.wait((dialling, refusal), return_when=asyncio.FIRST_COMPLETED)
            if not dialling.done():
                raise refusal.result()
            dialling.result()
        finally:
            refusal.cancel()
            dialling.cancel()
            await asyncio.gather(dialling, return_exceptions=True)

    async def _keep(self) -> None:
        while True:
            await self._until_down()
            log.warning("nats connection lost", url=without_secrets(self._connecting.url))
            await self._abandon()
            while self._client is None:
                await asyncio.sleep(_pause())
                await self._try_again()
            self._up.set()
            log.info("nats connected again", url=without_secrets(self._connecting.url))

    async def _until_down(self) -> None:
        # The library tells of a closed connection once it has written what was left, which on a cut line is never.
        # So its state is looked at as well.
        while self._client is not None and self._client.is_connected:
            try:
                async with asyncio.timeout(LOOK_EVERY):
                    await self._down.wait()
                    return
            except TimeoutError:
                continue

    async def _try_again(self) -> None:
        self._down.clear()
        try:
            self._client = await self._connect()
            await self._on_up(self._client)
        except (errors.Error, OSError, TimeoutError, UnusableBus) as error:
            log.debug("nats not reached", reason=words(error))
            await self._abandon()

    async def _abandon(self) -> None:
        client, self._client = self._client, None
        self._up.clear()
        self._on_down()
        if client is not None:
            self._close(client)

    def _close(self, client: Client) -> None:
        # Beside everything else: on a cut line it may take as long as TCP does.
        closing = asyncio.create_task(client.close())
        self._closings.add(closing)
        closing.add_done_callback(self._closed)

    def _closed(self, closing: "asyncio.Task[None]") -> None:
        self._closings.discard(closing)
        if not closing.cancelled() and (error := closing.exception()) is not None:
            log.debug("nats connection closed badly", reason=str(error))

    async def close(self) -> None:
        """Let go; what was published is written first, within a second."""
        self.is_closed = True
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        await self._abandon()
        self._up.set()
        if self._closings:
            _, late = await asyncio.wait(self._closings, timeout=1.0)
            for closing in late:
                closing.cancel()


def _check(client: Client, address: str) -> None:
    version = client.connected_server_version
    if (version.major, version.minor) < OLDEST:
        why = f"it is version {version.major}.{version.minor}, and 2.10 is the oldest that will do"
        raise UnusableBus(address, why)


def heed_cancellation() -> None:
    """Leave if this task was cancelled: while it publishes, or waits on a closing client, the library hides that."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _pause() -> float:
    return PAUSE * random.uniform(0.5, 1.5)


def _is_final(error: Exception) -> bool:
    """Whether the same question would get the same answer."""
    if isinstance(error, APIError):
        # In an election JetStream is unavailable for seconds; switched off it is unavailable for ever. The code of the
        # latter is only there when the account lacks it; otherwise patience tells.
        return error.code not in (500, 503) or error.err_code in (10039, 10076)
    return any(word in str(error) for word in ("Authorization Violation", "Permissions Violation", "certificate"))


def words(error: Exception | None) -> str:
    """What went wrong, to people."""
    if error is None or isinstance(error, TimeoutError):
        return "nothing answers there"
    if isinstance(error, ServiceUnavailableError):
        return "JetStream is not enabled or has no leader; start it with -js, or add a jetstream block to its configuration"
    if isinstance(error, APIError):
        return f"JetStream refused: {error.description}"
    if "Authorization Violation" in str(error):
        return "it refused the credentials"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.strerror or error})"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error).removeprefix("nats: ")
