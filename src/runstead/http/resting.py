"""Waits for a run to rest: that it ends, or wants something of its client."""

import asyncio

from runstead.domain.errors import Unavailable
from runstead.domain.run_lifecycle import UNDER_WAY
from runstead.http.api import Api, RunStream
from runstead.http.relay import Relay, StreamBroken
from runstead.ports import BusStopped
from runstead.wire.base import RunId, ThreadId


async def until_rest(api: Api, thread_id: ThreadId, run_id: RunId, seconds: float) -> None:
    """Return when the run rests, or when it makes no sense to wait any longer. Raises NotFound."""
    async with Relay(api, RunStream(run_id)) as relay:
        # Listening first: it may come to rest between this look and the next event.
        if (await api.store.get_run(thread_id, run_id)).run.status not in UNDER_WAY:
            return
        try:
            async with asyncio.timeout(seconds):
                async for _ in relay.batches(seconds):
                    pass
        except (TimeoutError, BusStopped, StreamBroken, Unavailable):
            # The client looks at what there is, and asks again.
            return
