"""Looks at the rows for runs that nobody works on though somebody should: lost offers, dead workers, deadlines.

It reads only rows, so whatever the bus loses is harmless.
"""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Mapping

import structlog

from runstead.domain import takeover, unleased
from runstead.domain.errors import Stale, Unavailable
from runstead.domain.records import RunRecord
from runstead.domain.run_lifecycle import UNDER_WAY
from runstead.executor.worker import Worker
from runstead.wire.base import ThreadId

EVERY = 1.0
"""Seconds between rounds, give or take a fifth so that nodes do not march in step."""
WAITING_FOR = 2.0
"""Seconds a queued run may wait for its offer before it is looked at."""
BATCH = 200
AT_ONCE = 50
"""Runs that are claimed together: their claims share a commit."""
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
    try:
        while True:
            now = worker.tools.clock.now()
            due = await worker.tools.store.due(now, now - WAITING_FOR, BATCH)
            hosts = await worker.hosts_of(record for record in due if record.run.status == "queued")
            # A node that held a thousand runs has died: what is left of them does not wait for the next round.
            if not await _settle(worker, due, now, bereft, hosts) or len(due) < BATCH:
                return
    except Unavailable as error:
        log.warning("not reconciled", reason=str(error))


async def adopt(worker: Worker) -> None:
    """Take over every unfinished run without waiting for its lease: the caller knows that no other worker lives."""
    due = await worker.tools.store.due(math.inf, math.inf, EVERYTHING)
    now = worker.tools.clock.now()
    await _settle(worker, [record for record in due if _wants_worker(record) or record.deadline <= now], now, set(), {})


def _wants_worker(record: RunRecord) -> bool:
    return record.run.status in UNDER_WAY


async def _settle(
    worker: Worker, due: list[RunRecord], now: float, bereft: set[str], hosts: Mapping[ThreadId, str]
) -> bool:
    """Whether any run got what it wanted from this node."""
    owners = Counter(record.owner for record in due if _wants_worker(record) and record.owner is not None)
    # What one worker lost at one moment may become due in two rounds, as the leases were claimed at two moments.
    alone = {owner for owner, lost in owners.items() if lost == 1} - bereft
    bereft.update(owners)
    has_settled = False
    for some in (due[first : first + AT_ONCE] for first in range(0, len(due), AT_ONCE)):
        settling = (
            _settle_one(worker, record, now, alone=record.owner in alone, host=hosts.get(record.run.thread_id))
            for record in some
        )
        results = await asyncio.gather(*settling, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        has_settled = has_settled or any(results)
    return has_settled


async def _settle_one(worker: Worker, record: RunRecord, now: float, *, alone: bool, host: str | None) -> bool:
    if record.deadline <= now and record.run.status != "cancelling":
        return await _expire(worker, record, now)
    if not _wants_worker(record):
        return False
    if host not in (None, worker.owner) and record.run.status == "queued":
        # Left to the node that has the variables: it lives, so it takes the run or passes it on to all.
        await worker.tools.bus.offer_to(host, record.run.id)
        return False
    # Held while the claim is under way, or those beside it would take the same room.
    seat = worker.take_seat()
    if seat is None:
        await worker.tools.bus.offer(record.run.id)
        return False
    try:
        return await worker.claim(record, alone=alone)
    finally:
        seat.give_back()


async def _expire(worker: Worker, record: RunRecord, now: float) -> bool:
    tools, run_id = worker.tools, record.run.id
    steps = await tools.store.list_steps(run_id)
    history = await tools.bus.history(run_id)
    again = takeover.unheard(history, record, steps)
    closings = takeover.closings([*history, *again], steps, now=int(now))
    try:
        await tools.journal.commit(unleased.expire(record, steps, closings, again=again, now=now))
    except Stale:
        return False
    log.info("run expired", run_id=run_id, was=record.run.status)
    return True
