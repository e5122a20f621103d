"""How one connection to NATS is made: where to, as whom, and how the server is trusted."""

import asyncio
import random
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct
from nats import errors
from nats.aio.client import Client

from runstead.bus.nats_credentials import Credentials
from runstead.bus.nats_errors import CertificateWanted, PlainLink, UnusableBus

OLDEST = (2, 10)
CONNECT_WITHIN = 3.0
PING_EVERY = 5
"""The library's own default of two minutes would leave a cut line unnoticed for four."""
MAX_UNSENT = 2**23


class Connecting(Struct, frozen=True, kw_only=True):
    """Where to, and as whom. Several addresses are separated by commas; user and password may be part of them."""

    url: str
    credentials: Path | None = None
    """A file with a user's token and key."""
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    name: str = "runstead"

    @property
    def addresses(self) -> list[str]:
        """Each server's."""
        return [one.strip() for one in self.url.split(",") if one.strip()]

    def encrypts(self, address: str) -> bool:
        """Whether nothing may be said to this server in the clear. One that asks for TLS gets it in any case."""
        return address.startswith(("tls://", "wss://")) or self.ca_file is not None or self.cert_file is not None

    def tls(self) -> ssl.SSLContext | None:
        """How servers are trusted, and what they are shown. Raises UnusableBus."""
        if not any(map(self.encrypts, self.addresses)):
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.cert_file is not None:
                context.load_cert_chain(self.cert_file, self.key_file)
        except OSError as error:
            raise UnusableBus(self.url, f"its certificate files cannot be read ({error})") from error
        return context

    def files(self) -> list[int]:
        """When the files of certificates were written: they are replaced while a node runs, and dear to read."""
        named = (self.ca_file, self.cert_file, self.key_file)
        return [file.stat().st_mtime_ns for file in named if file is not None and file.exists()]

    def proof(self) -> Credentials | None:
        """Who we are, read anew for each connection. Raises UnusableBus."""
        if self.credentials is None:
            return None
        try:
            return Credentials.read(self.credentials)
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise UnusableBus(self.url, f"the credentials in {self.credentials} cannot be read: {reason}") from error


class GuardedClient(Client):
    """The library's client, but it says nothing about itself over a link that should be encrypted and is not.

    Left alone it encrypts when the server wishes so, whatever the address says: who sits between the two need only
    leave the wish out to be told the password.
    """

    def __init__(self, *, encrypts: bool, has_certificate: bool) -> None:
        super().__init__()
        self._encrypts = encrypts
        self._has_certificate = has_certificate
        self.refusal: str | None = None
        """What this user was told that it may not do."""

    @property
    def has_jetstream(self) -> bool:
        """Whether this server says that it has JetStream. Without it, another of its cluster may."""
        return bool(self._server_info.get("jetstream"))

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        # The server's first words, to which nothing was said yet.
        if initial_connection and self._encrypts and not info.get("tls_required"):
            raise PlainLink
        if initial_connection and info.get("tls_verify") and not self._has_certificate:
            # Otherwise the link breaks, now or a little later, for no reason that anybody would tell.
            raise CertificateWanted
        await super()._process_info(info, initial_connection)


class Dialer:
    """Opens connections, to whichever server answers. `on_slow` is told whose messages were dropped."""

    def __init__(self, connecting: Connecting, on_slow: Callable[[str], None]) -> None:
        self._connecting = connecting
        self._on_slow = on_slow
        self._tls = connecting.tls()
        self._files = connecting.files()

    async def connect(self, on_closed: Callable[[], None], let_go: Callable[[Client], None]) -> GuardedClient:
        """Raises what the last server's failure was; UnusableBus at once. `let_go` gets what was begun in vain."""
        failure: Exception = OSError("no address was given")
        proof = self._connecting.proof()
        if (files := self._connecting.files()) != self._files:
            self._tls, self._files = self._connecting.tls(), files
        addresses = self._connecting.addresses
        for address in random.sample(addresses, len(addresses)):
            client = GuardedClient(
                # A web socket is private by its own means, and refused by them.
                encrypts=self._connecting.encrypts(address) and not address.startswith("ws"),
                has_certificate=self._connecting.cert_file is not None,
            )
            try:
                async with asyncio.timeout(CONNECT_WITHIN):
                    await self._dial(client, address, proof, on_closed)
                _check(client, address)
                return client
            except (errors.Error, OSError, TimeoutError) as error:
                failure = error
                let_go(client)
            except (asyncio.CancelledError, UnusableBus):
                let_go(client)
                raise
        raise failure

    async def _dial(
        self, client: GuardedClient, address: str, proof: Credentials | None, closed: Callable[[], None]
    ) -> None:
        refusal: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

        async def on_error(error: Exception) -> None:
            if isinstance(error, errors.SlowConsumerError):
                # The library drops what does not fit and tells only here.
                self._on_slow(error.subject)
            elif client.is_connected:
                if "permissions violation" in str(error).lower():
                    # Nor does a request fail that is not allowed: it is never answered.
                    client.refusal = str(error).removeprefix("nats: ").strip("'")
            elif not refusal.done():
                refusal.set_result(error)

        async def on_closed() -> None:
            closed()

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
                signature_cb=None if proof is None else proof.sign,
                user_jwt_cb=None if proof is None else proof.shown,
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


def _check(client: Client, address: str) -> None:
    version = client.connected_server_version
    if (version.major, version.minor) < OLDEST:
        why = f"it is version {version.major}.{version.minor}, and 2.10 is the oldest that will do"
        raise UnusableBus(address, why)
