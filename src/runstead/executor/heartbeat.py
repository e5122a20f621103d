"""Renews every lease of this node in one statement, and distrusts what could not be renewed."""

import asyncio
import time

import structlog

from runstead.domain.errors import Unavailable
from runstead.executor.worker import Worker

log = structlog.get_logger(__name__)


async def keep(worker: Worker) -> None:
    """Renew until cancelled."""
    store, clock = worker.tools.store, worker.tools.clock
    while True:
        await asyncio.sleep(worker.times.renew_every)
        if not worker.drivers:
            continue
        asked_at = time.monotonic()
        try:
            held = await store.renew(worker.owner, clock.now() + worker.times.lease_for)
        except Unavailable as error:
            log.warning("leases not renewed", reason=str(error), runs=len(worker.drivers))
        else:
            worker.renewed(held, asked_at)
        worker.stop_trusting()
