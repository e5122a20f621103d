"""Sessions that wait for their thread with the slow imports done. Each is used for one thread and then thrown away.

They are made one after the other, at the low priority that all sessions have, and not where memory is short. A process
that forks ready-made sessions would be quicker still, and its children would share walls with each other.
"""

import asyncio
from collections import deque
from collections.abc import Callable

import structlog

from runstead.sandbox.box import Launcher, NoBox
from runstead.sandbox.limits import MIB, Limits
from runstead.sandbox.memory import free_memory
from runstead.sandbox.session import Broken, Session, begin

log = structlog.get_logger(__name__)

WARMING = """
def warm():
    try:
        import io, numpy, pandas, matplotlib.pyplot
    except ImportError:
        return
    pandas.DataFrame({"x": [1, 2], "y": [1, 2]}).plot(x="x", y="y").figure.savefig(io.BytesIO())
    matplotlib.pyplot.close("all")
try:
    warm()
finally:
    del warm
"""
WARMING_LIMIT = 120.0
LEAST_MEMORY = 2048 * MIB


class Pool:
    """Hands out sessions. `has_room` tells whether another one may be made in advance."""

    def __init__(self, launcher: Launcher, limits: Limits, has_room: Callable[[], bool]) -> None:
        self._launcher, self._limits, self._has_room = launcher, limits, has_room
        self._waiting: deque[Session] = deque()
        self._filling: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    async def take(self) -> Session:
        """A session that nobody has used. Raises NoBox."""
        while self._waiting:
            session = self._waiting.popleft()
            if session.is_alive:
                self.fill()
                return session
            await session.end()
        session = await begin(self._launcher, self._limits)
        self.fill()
        return session

    def fill(self) -> None:
        """See to it, without waiting, that enough sessions wait."""
        # What takes time are imports; a bare session is made as quickly as it is taken.
        if self._limits.warm and self._launcher.packages and (self._filling is None or self._filling.done()):
            self._filling = asyncio.create_task(self._fill(), name="warm sandboxes")

    async def shrink(self) -> bool:
        """Give up one that waits, for somebody who needs its place; False if none does."""
        if not self._waiting:
            return False
        await self._waiting.pop().end()
        return True

    async def close(self) -> None:
        """End those that wait."""
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.wait([self._filling])
        while self._waiting:
            await self._waiting.pop().end()

    async def _fill(self) -> None:
        try:
            while len(self._waiting) < self._limits.warm and self._has_room() and free_memory() > LEAST_MEMORY:
                self._waiting.append(await self._warmed())
        except (NoBox, Broken) as error:
            log.warning("no sandbox could be made in advance", reason=str(error))

    async def _warmed(self) -> Session:
        session = await begin(self._launcher, self._limits)
        try:
            harvest = await session.call(WARMING, WARMING_LIMIT)
            if not harvest.is_ok:
                log.warning("a sandbox could not import its packages", said=harvest.logs[-500:])
            session.is_new = True
        except BaseException:
            await asyncio.shield(session.end())
            raise
        return session
