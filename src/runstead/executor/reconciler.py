"""Looks at the rows for runs that nobody works on though somebody should: lost offers, dead workers, deadlines.

It reads only rows, so whatever the bus loses is harmless.
"""

import asyncio
import math
import random
from collections import Counter

import structlog

from runstead.domain import takeover, unleased
from runstead.domain.errors import Stale, Unavailable
from runstead.domain.records import RunRecord
from runstead.executor.worker import Worker

EVERY = 1.0
"""Seconds between rounds, give or take a fifth so that nodes do not march in step."""
WAITING_FOR = 2.0
"""Seconds a queued run may wait for its offer before it is looked at."""
BATCH = 200
EVERYTHING = 1_000_000

log = structlog.get_logger(__name__)


async def keep(worker: Worker) -> None:
    """Reconcile until cancelled."""
    bereft: set[str] = set()
    while True:
        await asyncio.sleep(EVERY * random.uniform(0.8, 1.2))
        await once(worker, bereft)


async def once(worker: Worker, bereft: set[str]) -> None:
    """One round over what is due. `bereft` are the owners known to have lost a run, to be passed on to the next."""
    now = worker.tools.clock.now()
    try:
        due = await worker.tools.store.due(now, now - WAITING_FOR, BATCH)
        await _settle(worker, due, now, bereft)
    except Unavailable as error:
        log.warning("not reconciled", reason=str(error))


async def adopt(worker: Worker) -> None:
    """Take over every unfinished run without waiting for its lease: the caller knows that no other worker lives."""
    due = await worker.tools.store.due(math.inf, math.inf, EVERYTHING)
    now = worker.tools.clock.now()
    await _settle(worker, [record for record in due if _wants_worker(record) or record.deadline <= now], now, set())


def _wants_worker(record: RunRecord) -> bool:
    return record.run.status in ("queued", "in_progress", "cancelling")


async def _settle(worker: Worker, due: list[RunRecord], now: float, bereft: set[str]) -> None:
    owners = Counter(record.owner for record in due if _wants_worker(record) and record.owner is not None)
    # What one worker lost at one moment may become due in two rounds, as the leases were claimed at two moments.
    alone = {owner for owner, lost in owners.items() if lost == 1} - bereft
    bereft.update(owners)
    for record in due:
        if record.deadline <= now and record.run.status != "cancelling":
            await _expire(worker, record, now)
        elif not _wants_worker(record):
            continue
        elif worker.has_room:
            await worker.claim(record, alone=record.owner in alone)
        else:
            await worker.tools.bus.offer(record.run.id)


async def _expire(worker: Worker, record: RunRecord, now: float) -> None:
    tools, run_id = worker.tools, record.run.id
    steps = await tools.store.list_steps(run_id)
    closings = takeover.closings(await tools.bus.history(run_id), steps, now=int(now))
    try:
        await tools.journal.commit(unleased.expire(record, steps, closings, now=now))
    except Stale:
        return
    log.info("run expired", run_id=run_id, was=record.run.status)
