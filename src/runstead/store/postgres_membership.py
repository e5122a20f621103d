"""Whether several nodes may serve one database: those that can tell each other may, one that cannot must be alone.

A lock of a session of its own says so, which the server drops with that session, however its node dies.
"""

import asyncio

import structlog

from runstead.domain.errors import Unavailable
from runstead.store.errors import UnusableDatabase
from runstead.store.postgres_clock import DatabaseClock
from runstead.store.postgres_connections import TROUBLE, Connection, Limits, Server, close_politely
from runstead.store.postgres_opening import told_clearly

# «runstead» as eight bytes, plus one: the number itself is what migrations lock.
_KEY = 0x72756E7374656165
_ALONE = "SELECT pg_try_advisory_lock($1)"
_TOGETHER = "SELECT pg_try_advisory_lock_shared($1)"
_LOOK_EVERY = 2.0  # seconds

_REFUSALS = {
    _ALONE: "another node already serves it; set RUNSTEAD_NATS_URL on every node so that they can tell each other, "
    "or stop the other one",
    _TOGETHER: "a node without RUNSTEAD_NATS_URL serves it and must be alone; stop it, or give it the NATS of the others",
}

log = structlog.get_logger(__name__)


class Membership:
    """One node's place among those that serve a database."""

    def __init__(self, url: str, *, is_alone: bool) -> None:
        self._server = Server(url, Limits(), DatabaseClock())
        self._lock = _ALONE if is_alone else _TOGETHER
        self._connection: Connection | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def join(self) -> None:
        """Raises UnusableDatabase if other nodes forbid it."""
        with told_clearly(self._server.where):
            if not await self._try():
                raise UnusableDatabase(self._server.where, _REFUSALS[self._lock])
        self._keeping = asyncio.create_task(self._keep(), name="membership")

    async def leave(self) -> None:
        """Harmless when not joined."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        if self._connection is not None:
            await close_politely(self._connection)

    async def _try(self) -> bool:
        connection = await self._server.connect()
        if await connection.fetchval(self._lock, _KEY):
            self._connection = connection
            return True
        await close_politely(connection)
        return False

    async def _keep(self) -> None:
        """Join again after the server restarted. The leases guard the runs meanwhile."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            try:
                if self._connection is not None:
                    await self._connection.execute("SELECT 1")
                elif not await self._try():
                    log.error("another node took this one's place", reason=_REFUSALS[self._lock])
            except (*TROUBLE, Unavailable, UnusableDatabase):
                if self._connection is not None:
                    self._connection.terminate()
                    self._connection = None
