"""Removes files whose time is over, and contents that a crash left without a file. Any number of nodes may run one."""

import asyncio
import random

import structlog

from runstead import filing
from runstead.domain.errors import Unavailable
from runstead.journal import Journal
from runstead.ports import Blobs, Clock, Store

EXPIRE_EVERY = 15.0
"""Seconds between looks for expired files, give or take a fifth so that nodes do not march in step."""
SWEEP_EVERY = 900.0
"""Seconds between sweeps; what two of them find is removed, which is within the hour that is promised."""

log = structlog.get_logger(__name__)


async def keep(store: Store, blobs: Blobs, journal: Journal, clock: Clock) -> None:
    """Keep house until cancelled."""
    suspects: set[str] = set()
    next_sweep = 0.0
    while True:
        try:
            await filing.expire(store, blobs, journal, clock.now())
            if clock.now() >= next_sweep:
                suspects = await filing.sweep(store, blobs, suspects)
                await blobs.clear_unfinished(untouched_for=SWEEP_EVERY)
                next_sweep = clock.now() + SWEEP_EVERY
        except Unavailable as error:
            log.warning("no house kept", reason=str(error))
        await asyncio.sleep(EXPIRE_EVERY * random.uniform(0.8, 1.2))


async def tidy(store: Store, blobs: Blobs) -> None:
    """Remove at the start what a crash left behind: the caller knows that nobody else uploads anything."""
    try:
        await filing.sweep(store, blobs, await filing.orphans(store, blobs))
        await blobs.clear_unfinished(untouched_for=0)
    except Unavailable as error:
        log.warning("not tidied at the start", reason=str(error))
