"""A program to be killed: commits threads for ever and prints each id once its commit was acknowledged."""

import asyncio
import sys
import time
from pathlib import Path

from runstead.domain.change import Change, InsertMessage, InsertThread
from runstead.store.sqlite import SqliteStore
from runstead.wire.base import MessageId, ThreadId
from runstead.wire.messages import Message, Text, TextContent
from runstead.wire.threads import Thread


class WallClock:
    def now(self) -> float:
        return time.time()


async def write_for_ever(store: SqliteStore, name: str) -> None:
    number = 0
    while True:
        number += 1
        thread = Thread(id=ThreadId(f"thread_{name}_{number}"), created_at=1)
        message = Message(
            id=MessageId(f"msg_{name}_{number}"),
            created_at=1,
            thread_id=thread.id,
            role="user",
            content=[TextContent(Text("x" * 500))],
        )
        await store.commit(Change(writes=(InsertThread(thread), InsertMessage(message))))
        print(f"{name}_{number}", flush=True)


async def main(path: Path) -> None:
    store = await SqliteStore.open_file(path, WallClock())
    async with asyncio.TaskGroup() as writers:
        for name in "abcdefgh":
            writers.create_task(write_for_ever(store, name))


asyncio.run(main(Path(sys.argv[1])))
