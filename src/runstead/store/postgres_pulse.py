"""Tells a server that is slow from one that is out of reach: on a line gone silent nothing ends by itself.

A statement may take its time. While it does, the server is asked for a sign of life on another connection. If there is
none, all who wait are told, and who comes is refused at once, until there is one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
import structlog

from runstead.domain.errors import Unavailable
from runstead.store.errors import UnusableDatabase

T = TypeVar("T")

SUSPECT_AFTER = 1.0
"""Seconds that an answer may take before anybody wonders."""
LOOK_EVERY = 0.5

log = structlog.get_logger(__name__)


class Pulse:
    """Watches over what is asked of one server. `ask` raises OSError, which TimeoutError is, if nobody answers."""

    def __init__(self, ask: Callable[[], Awaitable[None]]) -> None:
        self._ask = ask
        self._waiting: dict[asyncpg.Connection[asyncpg.Record], float] = {}
        self._on_silence: list[Callable[[], None]] = []
        self._watch: asyncio.Task[None] | None = None
        self.is_silent = False

    def on_silence(self, tell: Callable[[], None]) -> None:
        """Whom to tell that connections which rest are not worth keeping either."""
        self._on_silence.append(tell)

    async def watched(self, connection: "asyncpg.Connection[asyncpg.Record]", answer: Awaitable[T]) -> T:
        """Wait for an answer on a connection, which is ended if the server falls silent."""
        self._waiting[connection] = asyncio.get_running_loop().time()
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._watch_over(), name="postgres pulse")
        try:
            return await answer
        finally:
            del self._waiting[connection]

    async def _watch_over(self) -> None:
        while self._waiting or self.is_silent:
            await asyncio.sleep(LOOK_EVERY)
            oldest = min(self._waiting.values(), default=float("inf"))
            if self.is_silent or asyncio.get_running_loop().time() - oldest > SUSPECT_AFTER:
                await self._feel()

    async def _feel(self) -> None:
        asked_at = asyncio.get_running_loop().time()
        try:
            await self._ask()
        except OSError as error:
            if not self.is_silent:
                log.warning("the database is silent", reason=str(error) or "nothing answers")
            self.is_silent = True
            for connection in [one for one, since in self._waiting.items() if since < asked_at]:
                connection.terminate()
            for tell in self._on_silence:
                tell()
            return
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            # It refuses, which is an answer: what is broken ends by itself.
            pass
        except (Unavailable, UnusableDatabase):
            pass
        if self.is_silent:
            log.info("the database answers again")
        self.is_silent = False

    async def stop(self) -> None:
        """Watch no longer."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
