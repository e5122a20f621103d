"""Ends the code session of a thread that was deleted here; its node learns of what others delete when it renews leases."""

import asyncio

from runstead.domain.change import Change, DeleteThread
from runstead.ports import Sandbox
from runstead.wire.base import ThreadId


class SessionEnds:
    """What a deleted thread's code has in memory is of no use to anybody, and may be private."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._deleted: asyncio.Queue[ThreadId] = asyncio.Queue()

    def committed(self, change: Change) -> None:
        """Told of every change this node has stored."""
        for write in change.writes:
            if isinstance(write, DeleteThread):
                self._deleted.put_nowait(write.id)

    async def keep(self) -> None:
        """End sessions until cancelled."""
        while True:
            await self._sandbox.release(await self._deleted.get())
