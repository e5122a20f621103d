"""Finds store files that are to be ingested, claims them while there is room, and owns the tasks that read them.

The rows are the queue. A file that was added here is looked for at once, one that another node left within a round.
"""

import asyncio
import random

import structlog

from runstead.domain import ingestion
from runstead.domain.change import Change
from runstead.domain.errors import NotFound, Stale, Unavailable
from runstead.domain.file_writes import AddStoreFiles, ReplaceStoreFile, StoreFileRecord
from runstead.executor.ingestion import Means
from runstead.executor.lease import Lease, LeaseLost
from runstead.executor.reading import Reading
from runstead.executor.worker import LeaseTimes
from runstead.journal import Journal
from runstead.ports import Clock

EVERY = 1.0
"""Seconds between looks at the rows, give or take a fifth so that nodes do not march in step."""
AT_ONCE = 2
"""Files read at a time: more would only share the same parser processes and the same embedder."""
GIVE_BACK_WITHIN = 1.0
"""Seconds a stop has for it; where the store does not answer the leases run out by themselves."""

log = structlog.get_logger(__name__)


class Ingester:
    """Reads files under one owner name, which is new with every start of the process."""

    def __init__(self, means: Means, journal: Journal, clock: Clock, *, owner: str, times: LeaseTimes) -> None:
        self._means = means
        self._journal = journal
        self._clock = clock
        self._owner = owner
        self._times = times
        self._tasks: set[asyncio.Task[None]] = set()
        self._wanted = asyncio.Event()
        self._is_stopping = False

    @property
    def reading(self) -> int:
        """How many files are being read."""
        return len(self._tasks)

    def committed(self, change: Change) -> None:
        """Told of every change this node has stored: files that were added are looked for at once."""
        if any(isinstance(write, AddStoreFiles) for write in change.writes):
            self._wanted.set()

    async def keep(self) -> None:
        """Ingest until cancelled; then everything that is being read is given back."""
        try:
            while True:
                # Before the look: what is added while it lasts is looked for again at once.
                self._wanted.clear()
                try:
                    await self._take_what_waits()
                except Unavailable as error:
                    log.warning("no files ingested", reason=str(error))
                await self._wait()
        finally:
            self._is_stopping = True
            await self._give_everything_back()

    async def _give_everything_back(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=GIVE_BACK_WITHIN)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(EVERY * random.uniform(0.8, 1.2)):
                await self._wanted.wait()
        except TimeoutError:
            return

    async def _take_what_waits(self) -> None:
        room = AT_ONCE - len(self._tasks)
        if room <= 0:
            return
        for waiting in await self._means.store.unfinished_files(self._clock.now(), room):
            if ingestion.is_worn_out(waiting):
                await self._replace(ingestion.wear_out(waiting), waiting)
                continue
            lease = Lease(self._times.trust_for)
            now, lease_for = self._clock.now(), self._times.lease_for
            claimed = ingestion.claim(waiting, owner=self._owner, now=now, lease_for=lease_for)
            if await self._replace(claimed, waiting):
                lease.granted()
                self._begin(claimed, lease)

    def _begin(self, record: StoreFileRecord, lease: Lease) -> None:
        reading = Reading(self._means, self._journal, self._clock, record, lease, self._times)
        task = asyncio.create_task(self._own(reading), name=record.file.id)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._wanted.set()

    async def _own(self, reading: Reading) -> None:
        place = {"file_id": reading.record.file.id, "vector_store_id": reading.record.file.vector_store_id}
        try:
            try:
                await reading.perform()
            except asyncio.CancelledError:
                if not self._is_stopping:
                    raise
                await reading.give_back()
        except (LeaseLost, NotFound):
            log.info("file no longer ours to ingest", **place)
        except Unavailable as error:
            # Its lease runs out by itself.
            log.warning("file not ingested", reason=str(error), **place)
        except Exception:
            # Broad on purpose: an unforeseen error is this file's, not the node's. It is read again until it is worn out.
            log.exception("ingestion broke", **place)

    async def _replace(self, record: StoreFileRecord, was: StoreFileRecord) -> bool:
        """Write a file's record; False if it is not what it was."""
        try:
            await self._journal.commit(Change(writes=(ReplaceStoreFile(record, was),)))
        except Stale:
            return False
        return True
