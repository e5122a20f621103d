"""One connection to NATS after another: each is a client of its own, and what has to be there on it is made anew.

The library could reconnect by itself. It does not here: what it keeps over a reconnect (requests that nobody will
answer, messages of another time, a client that was closed for good by one refusal) is what goes wrong.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog
from nats import errors
from nats.aio.client import Client
from nats.js.errors import ServiceUnavailableError

from runstead.bus.nats_dialing import Connecting, Dialer, GuardedClient
from runstead.bus.nats_errors import UnusableBus, is_final, without_secrets, words

PAUSE = 0.2
"""Seconds between two tries, give or take a half, so that nodes do not come back in step."""
LOOK_EVERY = 1.0
CLOSE_WITHIN = 0.5

log = structlog.get_logger(__name__)

Up = Callable[[Client], Awaitable[None]]
Slow = Callable[[str], None]


class Connection:
    """Holds a client while there is one. `on_up` prepares each; `on_slow` is told whose messages were dropped."""

    def __init__(self, connecting: Connecting, on_up: Up, on_down: Callable[[], None], on_slow: Slow) -> None:
        self._url = connecting.url
        self._on_up = on_up
        self._on_down = on_down
        self._dialer = Dialer(connecting, on_slow)
        self._client: GuardedClient | None = None
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
        """Connect for the first time. Where nobody answers for `patience` seconds it goes on trying by itself.

        Raises UnusableBus when trying again is of no use.
        """
        # What is so when even the first try takes too long.
        failure: Exception | None = TimeoutError()
        try:
            async with asyncio.timeout(patience):
                while True:
                    failure = await self._try()
                    if failure is None or is_final(failure):
                        break
                    await asyncio.sleep(_pause())
        except TimeoutError:
            await self._abandon()
        if failure is not None:
            if is_final(failure):
                raise failure if isinstance(failure, UnusableBus) else UnusableBus(self._url, words(failure))
            # A node whose bus is away when it starts is no worse off than one whose bus goes away later.
            log.warning("nats not reached, started without it", url=without_secrets(self._url), reason=words(failure))
        self._keeper = asyncio.create_task(self._keep(), name="nats connection")

    async def _try(self) -> Exception | None:
        """Why there is no connection, or None: there is one."""
        self._down.clear()
        client: GuardedClient | None = None
        try:
            client = self._client = await self._dialer.connect(self._down.set, self._close)
            await self._on_up(client)
        except (errors.Error, OSError, TimeoutError, UnusableBus) as error:
            await self._abandon()
            return error if client is None else self._explained(error, client)
        self._up.set()
        return None

    def _explained(self, error: Exception, client: GuardedClient) -> Exception:
        """The cause behind a failure, where the server said more than the library passes on."""
        if client.refusal is not None:
            return UnusableBus(self._url, f"its user may not do what is needed ({client.refusal})")
        if isinstance(error, ServiceUnavailableError) and not client.has_jetstream:
            return UnusableBus(self._url, words(error))
        return error

    async def _keep(self) -> None:
        url = without_secrets(self._url)
        while True:
            if self._client is not None:
                await self._until_down()
                log.warning("nats connection lost", url=url)
                await self._abandon()
            told = ""
            while self._client is None:
                await asyncio.sleep(_pause())
                # Each reason once: an outage of hours need not be told every moment.
                if (failure := await self._try()) is not None and words(failure) != told:
                    told = words(failure)
                    log.warning("nats not reached", url=url, reason=told)
            log.info("nats connected again", url=url)

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
        """Let go; what was published is written first, unless that takes long."""
        self.is_closed = True
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        await self._abandon()
        self._up.set()
        if self._closings:
            _, late = await asyncio.wait(self._closings, timeout=CLOSE_WITHIN)
            for closing in late:
                closing.cancel()


def heed_cancellation() -> None:
    """Leave if this task was cancelled: while it publishes, or waits on a closing client, the library hides that."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _pause() -> float:
    return PAUSE * random.uniform(0.5, 1.5)
