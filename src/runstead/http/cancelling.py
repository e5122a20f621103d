"""Asking a run to stop, and waiting until it has."""

import asyncio
import contextlib

from runstead.domain import unleased
from runstead.domain.errors import NotCancellable
from runstead.domain.records import RunRecord
from runstead.http.api import Api, until_settled
from runstead.ports import EventsLost
from runstead.wire.base import RunId, ThreadId
from runstead.wire.events import LAST_EVENTS
from runstead.wire.runs import Run

WAIT_FOR = 5.0
"""Seconds a deletion waits for a driver to stop; after that its lease is worth nothing, for its row is gone."""


async def cancel(api: Api, thread_id: ThreadId, run_id: RunId) -> Run:
    """Ask a run to stop; the worker that holds it will. Raises NotCancellable."""

    async def ask() -> Run:
        record = await api.store.get_run(thread_id, run_id)
        steps = await api.store.list_steps(run_id)
        change = unleased.cancel(record, steps, now=api.clock.now())
        await api.journal.commit(change)
        stored = await api.store.find_run(run_id)
        return (stored or record).run

    return await until_settled(ask)


async def cancel_and_wait(api: Api, thread_id: ThreadId) -> None:
    """Cancel a thread's active run, if there is one, and wait a little for its last event."""
    active = await api.store.find_active_run(thread_id)
    if active is None:
        return
    async with api.bus.tail(active.run.id, None) as tail:
        with contextlib.suppress(NotCancellable):
            await cancel(api, thread_id, active.run.id)
        try:
            async with asyncio.timeout(WAIT_FOR):
                while await _is_active(api, active):
                    if any(event.name in LAST_EVENTS for event in await tail.next(WAIT_FOR)):
                        return
        except (TimeoutError, EventsLost):
            return


async def _is_active(api: Api, record: RunRecord) -> bool:
    active = await api.store.find_active_run(record.run.thread_id)
    return active is not None and active.run.id == record.run.id
