"""Commits that make a run queued: it is claimed in the same commit when this node has room for it.

That saves a commit and a hop before the model is called; the client is still told `queued` first.
"""

import asyncio
from collections.abc import Sequence

from msgspec.structs import replace

from runstead.domain import run_lifecycle
from runstead.domain.change import Change, InsertRun, ReplaceRun, Write
from runstead.domain.records import RunRecord
from runstead.http.api import Api
from runstead.wire.messages import Message


async def commit_queued(api: Api, queued: RunRecord, change: Change, messages: Sequence[Message] | None = None) -> None:
    """Commit a change that queues `queued`, claimed for this node if it has a seat, offered to others otherwise.

    `messages` are all of its thread's, if that is new: then nothing need be read before the model is asked.
    """
    host = await api.desk.host_of(queued)
    seat = api.desk.take_seat() if host is None else None
    if seat is None:
        await api.journal.commit(replace(change, offers=(queued.run.id,), host=host))
        return
    try:
        claimed = run_lifecycle.claim(queued, owner=seat.owner, now=api.clock.now(), lease_for=seat.lease_for)
        writes = tuple(_claimed(write, claimed) for write in change.writes)
        await api.journal.commit(replace(change, writes=writes, offers=()))
        seat.start(claimed, messages)
        # Let the driver ask the model before this request is answered: the model is what takes time.
        await asyncio.sleep(0)
    finally:
        seat.give_back()


def _claimed(write: Write, claimed: RunRecord) -> Write:
    match write:
        case InsertRun():
            return InsertRun(claimed)
        case ReplaceRun(was=was):
            return ReplaceRun(claimed, was=was)
        case _:
            return write
