"""A worker claims runs while it has room, and owns the tasks that drive them."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

import structlog
from msgspec import Struct

from runstead.domain import run_lifecycle
from runstead.domain.change import Change, ReplaceRun, TakeRun
from runstead.domain.code_sessions import may_run_code
from runstead.domain.errors import Stale, Unavailable
from runstead.domain.records import RunRecord
from runstead.executor.lease import Lease
from runstead.executor.reading_ahead import Ahead, Appetite
from runstead.executor.run_driver import RunDriver, Tools
from runstead.wire.base import RunId, ThreadId
from runstead.wire.messages import Message

log = structlog.get_logger(__name__)


class LeaseTimes(Struct, frozen=True):
    """Seconds: how long a lease lasts, how often it is renewed, how long a driver trusts it unrenewed."""

    lease_for: float
    renew_every: float
    trust_for: float

    @classmethod
    def of(cls, lease_for: float) -> "LeaseTimes":
        """The proportions that leave a lost renewal one more chance, and a margin to notice the loss."""
        return cls(lease_for, lease_for / 3, lease_for * 2 / 3)


class Seat:
    """See ports.Seat."""

    def __init__(self, worker: "Worker") -> None:
        self._worker = worker
        self._is_taken = True
        self.owner = worker.owner
        self.lease_for = worker.times.lease_for
        self._lease = Lease(worker.times.trust_for)

    def start(self, record: RunRecord, messages: Sequence[Message] | None = None) -> None:
        """See ports.Seat."""
        ahead = None if messages is None else Ahead.of_new(record, messages)
        self._worker.drive(record, self._lease, fresh=True, ahead=ahead)
        self.give_back()

    def give_back(self) -> None:
        """See ports.Seat."""
        if self._is_taken:
            self._is_taken = False
            self._worker.seat_returned()


class Worker:
    """Room for `capacity` runs under one owner name, which is new with every start of the process."""

    def __init__(self, tools: Tools, *, owner: str, capacity: int, times: LeaseTimes, has_peers: bool = False) -> None:
        self.owner = owner
        self.times = times
        self.tools = tools
        self.drivers: dict[RunId, RunDriver] = {}
        self._undriven: set[tuple[RunId, int]] = set()
        self._given_up: dict[tuple[RunId, int], Lease] = {}
        """Claims that were released as nobody's, while a late answer to one may still be trusted."""
        self._capacity = capacity
        self._appetite = Appetite()
        self._has_peers = has_peers
        self._seats = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_stopping = False
        self._room = asyncio.Event()
        self._room.set()

    async def host_of(self, record: RunRecord) -> str | None:
        """See ports.Desk."""
        host = (await self.hosts_of([record])).get(record.run.thread_id)
        return None if host == self.owner else host

    async def hosts_of(self, records: Iterable[RunRecord]) -> dict[ThreadId, str]:
        """The living nodes, this one too, that have code sessions for the threads of these runs. Raises Unavailable."""
        wanted = {record.run.thread_id for record in records if self._has_peers and may_run_code(record.run)}
        if not wanted:
            return {}
        now = self.tools.clock.now()
        found = await self.tools.store.find_code_sessions(wanted)
        return {id: host for id, session in found.items() if (host := session.host(now)) is not None}

    def take_seat(self) -> Seat | None:
        """See ports.Desk."""
        if not self.has_room:
            return None
        self._seats += 1
        return Seat(self)

    def seat_returned(self) -> None:
        """Called by a seat once."""
        self._seats -= 1
        self._room.set()

    def drive(self, record: RunRecord, lease: Lease, *, fresh: bool, ahead: Ahead | None = None) -> None:
        """Start driving a run that this worker has claimed."""
        lease.granted()
        driver = RunDriver(self.tools, record, lease, fresh=fresh, ahead=ahead, appetite=self._appetite)
        if (outdated := self.drivers.get(record.run.id)) is not None:
            outdated.interrupt("lost")
        if (record.run.id, record.epoch) in self._given_up:
            # The answer to the claim was on its way for so long that we took it for lost.
            driver.interrupt("lost")
        elif self.is_stopping:
            driver.interrupt("draining")
        self.drivers[record.run.id] = driver
        task = asyncio.create_task(self._own(driver), name=record.run.id)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _own(self, driver: RunDriver) -> None:
        run_id = driver.record.run.id
        try:
            await driver.drive()
        except Exception:
            # Broad on purpose: an unforeseen error ends this run with a word, not the process and its others.
            log.exception("run broke", run_id=run_id)
            await driver.end_broken()
        finally:
            if self.drivers.get(run_id) is driver:
                del self.drivers[run_id]
            self._room.set()

    async def serve_offers(self) -> None:
        """Claim what is offered, as room allows."""
        offers = self.tools.bus.offers()
        # Room first: an offer that a full node takes is kept from those that have room.
        while await self._room_or_stop():
            run_id = await anext(offers)
            if not await self._room_or_stop():
                # It came too late for this node; it need not wait for the reconciler of another.
                await self.tools.bus.offer(run_id)
                return
            try:
                ahead = await self._appetite.read(self.tools.store, run_id)
                if ahead is not None and self._is_free(ahead.snapshot.record):
                    await self.claim(ahead.snapshot.record, ahead=ahead)
            except Unavailable as error:
                # The reconciler finds it again.
                log.warning("offer not taken", run_id=run_id, reason=str(error))

    async def _room_or_stop(self) -> bool:
        while not self.has_room:
            if self.is_stopping:
                return False
            self._room.clear()
            await self._room.wait()
        return True

    @property
    def has_room(self) -> bool:
        """Whether one more run may be claimed now."""
        return not self.is_stopping and self._seats + len(self.drivers) < self._capacity

    def _is_free(self, record: RunRecord) -> bool:
        if record.run.status == "queued":
            return True
        return record.run.status in ("in_progress", "cancelling") and (
            record.lease_until is None or record.lease_until < self.tools.clock.now()
        )

    async def serve_cancels(self) -> None:
        """Look at once at runs that somebody asked to cancel, or offered to this node before all others."""
        async for run_id in self.tools.bus.cancels(self.owner):
            try:
                record = await self.tools.store.find_run(run_id)
                driver = self.drivers.get(run_id)
                if driver is not None:
                    self._look(driver, record)
                elif record is not None and record.run.status == "queued":
                    await self._take_or_pass_on(record)
            except Unavailable:
                # The next renewal tells the status as well, and the reconcilers find what waits.
                continue

    @staticmethod
    def _look(driver: RunDriver, record: RunRecord | None) -> None:
        if record is None:
            driver.interrupt("lost")
        elif record.epoch == driver.record.epoch:
            driver.learn(record.run.metadata)
            if record.run.status == "cancelling":
                driver.interrupt("cancelled")

    async def _take_or_pass_on(self, record: RunRecord) -> None:
        seat = self.take_seat()
        if seat is None:
            await self.tools.bus.offer(record.run.id)
            return
        try:
            await self.claim(record)
        finally:
            seat.give_back()

    async def claim(self, record: RunRecord, *, alone: bool = False, ahead: Ahead | None = None) -> bool:
        """Claim a run that nobody holds and drive it; False if somebody else was first.

        `alone` tells that the dead worker lost no other run, `ahead` is what was read with the record. A run past its
        deadline is not claimed: to end it is the reconciler's work. Raises Unavailable.
        """
        run, now = record.run, self.tools.clock.now()
        if record.deadline <= now and run.status != "cancelling":
            return False
        lease_for, owner = self.times.lease_for, self.owner
        if run.status == "queued":
            claimed = run_lifecycle.claim(record, owner=owner, now=now, lease_for=lease_for)
        else:
            claimed = run_lifecycle.take_over(record, owner=owner, now=now, lease_for=lease_for, alone=alone)
        lease = Lease(self.times.trust_for)
        try:
            await self.tools.journal.commit(Change(writes=(TakeRun(claimed, was=record),)))
        except Stale:
            return False
        log.info("run claimed", run_id=run.id, epoch=claimed.epoch, was=run.status)
        is_queued = run.status == "queued"
        # Of a run that somebody held steps may have been stored since.
        self.drive(claimed, lease, fresh=is_queued and record.epoch == 1, ahead=ahead if is_queued else None)
        return True

    def renewed(self, held: Mapping[RunId, tuple[int, str]], asked_at: float) -> None:
        """What a renewal said: drivers without a lease stop, cancelled ones look."""
        for run_id, driver in list(self.drivers.items()):
            epoch, status = held.get(run_id, (0, ""))
            if epoch == driver.record.epoch:
                driver.lease.renewed(asked_at)
                if status == "cancelling" and driver.record.run.status != "cancelling":
                    driver.interrupt("cancelled")
            # A claim that was answered after the renewal began need not be in its answer.
            elif driver.lease.is_known_since(asked_at):
                driver.interrupt("lost")

    async def release_undriven(self, held: Mapping[RunId, tuple[int, str]]) -> None:
        """Give back runs that a renewal prolonged though nobody drives them: else nobody ever would again.

        A driver that gave up leaves such a lease, and a claim whose answer was lost. A claim that was answered a
        moment ago looks alike, so a run must be met twice. Raises Unavailable.
        """
        undriven = {(run_id, epoch) for run_id, (epoch, _) in held.items() if run_id not in self.drivers}
        again, self._undriven = undriven & self._undriven, undriven
        self._given_up = {claim: lease for claim, lease in self._given_up.items() if lease.is_valid}
        # Before it is released, not after: the answer may come in between.
        self._given_up |= {claim: Lease(self.times.lease_for) for claim in again}
        for run_id, epoch in again:
            record = await self.tools.store.find_run(run_id)
            if record is None or (record.owner, record.epoch) != (self.owner, epoch):
                continue
            released = run_lifecycle.release(record)
            try:
                change = Change(writes=(ReplaceRun(released, was=record),), offers=(run_id,))
                await self.tools.journal.commit(change)
            except Stale:
                continue
            log.warning("run released that nobody drove", run_id=run_id, epoch=epoch)

    def stop_trusting(self) -> None:
        """Interrupt every driver whose lease was not renewed in time."""
        for driver in list(self.drivers.values()):
            if not driver.lease.is_valid:
                driver.interrupt("lost")

    def stop_taking(self) -> None:
        """Take no more runs."""
        self.is_stopping = True
        self._room.set()

    async def drain(self, within: float, *, finish_for: float) -> None:
        """Let the runs in flight end for `finish_for` of `within` seconds, then hand the others back."""
        self.stop_taking()
        if self._tasks and finish_for > 0:
            await asyncio.wait(self._tasks, timeout=finish_for)
        for driver in list(self.drivers.values()):
            driver.interrupt("draining")
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within - finish_for)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
