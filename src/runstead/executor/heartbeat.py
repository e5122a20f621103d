"""Renews every lease of this node in one statement, and distrusts what could not be renewed."""

import asyncio
import time

import structlog

from runstead.domain.errors import Unavailable
from runstead.executor.worker import Worker

log = structlog.get_logger(__name__)


async def keep(worker: Worker) -> None:
    """Renew until cancelled."""
    while True:
        await asyncio.sleep(worker.times.renew_every)
        if not worker.drivers:
            continue
        try:
            # A renewal that hangs is none, and its drivers must hear of it before their leases end.
            async with asyncio.timeout(worker.times.renew_every):
                await _renew(worker)
        except (Unavailable, TimeoutError) as error:
            log.warning("leases not renewed", reason=str(error) or "too slow", runs=len(worker.drivers))
        worker.stop_trusting()


async def _renew(worker: Worker) -> None:
    asked_at = time.monotonic()
    held = await worker.tools.store.renew(worker.owner, worker.tools.clock.now() + worker.times.lease_for)
    worker.renewed(held, asked_at)
    await worker.release_undriven(held)
