"""One claimed store file until its end: its lease is renewed while it is read, and what came of it is written once."""

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

from runstead.domain import ingestion
from runstead.domain.change import Change
from runstead.domain.errors import ContentsMissing, EmbeddingFailed, ExtractionFailed, Stale, Unavailable
from runstead.domain.file_writes import ReplaceStoreFile, StoreFileRecord
from runstead.executor.ingestion import Means, has_gone, ingest
from runstead.executor.lease import Lease, LeaseLost
from runstead.executor.worker import LeaseTimes
from runstead.journal import Journal
from runstead.ports import Clock

T = TypeVar("T")

STORE_RETRY = 0.25
"""Seconds between tries while the store cannot answer; the end of the lease ends the trying."""


class Reading:
    """Belongs to one task."""

    def __init__(
        self, means: Means, journal: Journal, clock: Clock, record: StoreFileRecord, lease: Lease, times: LeaseTimes
    ) -> None:
        self.record = record
        self._means = means
        self._journal = journal
        self._clock = clock
        self._lease = lease
        self._times = times

    async def perform(self) -> None:
        """Read the file and say what came of it. Raises LeaseLost if it was cancelled, deleted or taken meanwhile."""
        try:
            await self._read_and_tell()
        except LeaseLost:
            # Whether a renewal noticed it or the last write: the index may have had the file by then.
            await self._forget_if_gone()
            raise

    async def _read_and_tell(self) -> None:
        try:
            usage_bytes = await self._while_renewed(ingest(self._means, self.record))
        except ExtractionFailed as failure:
            await self._end(ingestion.fail(self.record, failure.code, failure.message))
        except (ContentsMissing, EmbeddingFailed, Unavailable) as trouble:
            await self._end(ingestion.try_later(self.record, str(trouble), now=self._clock.now()))
        else:
            await self._end(ingestion.complete(self.record, usage_bytes))

    async def give_back(self) -> None:
        """Let somebody else read it. Raises LeaseLost."""
        await self._replace(ingestion.give_back(self.record))

    async def _while_renewed(self, work: Awaitable[T]) -> T:
        task = asyncio.ensure_future(work)
        try:
            while True:
                await asyncio.wait((task,), timeout=self._times.renew_every)
                if task.done():
                    return task.result()
                await self._renew()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _renew(self) -> None:
        asked_at = time.monotonic()
        renewed = ingestion.renew(self.record, now=self._clock.now(), lease_for=self._times.lease_for)
        try:
            # A renewal that hangs is none.
            async with asyncio.timeout(self._times.renew_every):
                await self._replace(renewed)
        except (Unavailable, TimeoutError):
            if not self._lease.is_valid:
                raise LeaseLost from None
        else:
            self._lease.renewed(asked_at)

    async def _end(self, record: StoreFileRecord) -> None:
        while True:
            try:
                await self._replace(record)
            except Unavailable:
                if not self._lease.is_valid:
                    raise LeaseLost from None
                await asyncio.sleep(STORE_RETRY)
            else:
                return

    async def _replace(self, record: StoreFileRecord) -> None:
        try:
            await self._journal.commit(Change(writes=(ReplaceStoreFile(record, self.record),)))
        except Stale:
            raise LeaseLost from None
        self.record = record

    async def _forget_if_gone(self) -> None:
        """Take out of the index what was put there for a store that has lost or cancelled the file meanwhile."""
        store_id, file_id = self.record.file.vector_store_id, self.record.file.id
        if await has_gone(self._means.store, store_id, file_id):
            await self._means.index.drop_file(store_id, file_id)
