"""A deleted thread's session ends on the node that deleted it."""

import asyncio
from typing import Any, cast

from runstead.domain.change import Change, DeleteThread, SetRunMetadata
from runstead.executor.session_ends import SessionEnds
from runstead.wire.base import RunId, ThreadId


class Sandbox:
    def __init__(self) -> None:
        self.released: asyncio.Queue[str] = asyncio.Queue()

    async def release(self, thread_id: str) -> None:
        await self.released.put(thread_id)


async def test_only_deleted_threads_lose_their_session() -> None:
    sandbox = Sandbox()
    ends = SessionEnds(cast(Any, sandbox))
    ends.committed(Change(writes=(SetRunMetadata(ThreadId("thread_kept"), RunId("run_1"), {}),)))
    ends.committed(Change(writes=(DeleteThread(ThreadId("thread_gone")),)))

    async with asyncio.timeout(5):
        keeping = asyncio.create_task(ends.keep())
        assert await sandbox.released.get() == "thread_gone"
        keeping.cancel()

    assert sandbox.released.empty()
