"""The bus of many nodes, over NATS JetStream. What it loses costs time, never a fact: the rows have all of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import structlog
from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext

from runstead.bus.nats_connection import Connection, heed_cancellation
from runstead.bus.nats_dialing import Connecting
from runstead.bus.nats_errors import Unreadable, words
from runstead.bus.nats_frames import Position, decode, encode, position
from runstead.bus.nats_outbox import Letter, Outbox
from runstead.bus.nats_replay import Replay
from runstead.bus.nats_streams import WORKERS, Streams
from runstead.bus.nats_tail import MAX_BUFFER, NatsTail
from runstead.ports import UNSAID
from runstead.wire.base import RunId
from runstead.wire.events import StreamEvent

MAX_OUTBOX = 2**23
"""Bytes that wait for a server, or for its confirmation."""
FETCH_FOR = 1.5
"""Seconds one question for an offer lasts. A question that got lost is not noticed earlier."""
PAUSE = 0.25
"""Seconds between two tries of what just failed."""
SETTLE_WITHIN = 2.0
TOGETHER = 2**16
"""Bytes of events that are sent as one message if they were emitted together."""
MAX_UNREAD, MAX_UNREAD_BYTES = 8_192, 2**23
"""Of one run's messages, between the socket and the loop's next turns. The library's own bounds are 512 Ki messages."""

log = structlog.get_logger(__name__)


class _Interest:
    """The readers of one run on this node, and their subscription."""

    def __init__(self) -> None:
        self.tails: set[NatsTail] = set()
        self.subscription: Subscription | None = None
        self.client: Client | None = None
        """Over which it is subscribed."""


class NatsBus:
    """See ports.Bus. A node's own readers and workers are told without a detour, and with no server at all."""

    def __init__(
        self,
        connecting: Connecting,
        streams: Streams,
        *,
        max_outbox: int = MAX_OUTBOX,
        max_buffer: int = MAX_BUFFER,
    ) -> None:
        self._streams = streams
        self._max_buffer = max_buffer
        self._connection = Connection(connecting, self._came_up, self._went_down, self._was_slow)
        self._outbox = Outbox(streams.barrier, max_outbox, self._heal)
        self._replay = Replay(streams.events, self._heal)
        self._interests: dict[RunId, _Interest] = {}
        self._cancels: dict[str, asyncio.Queue[RunId]] = {}
        self._senders: list[asyncio.Task[None]] = []
        self._healing: asyncio.Task[None] | None = None
        self._is_open = False
        self._is_stopped = False

    # Life

    async def open(self, patience: float = 5.0) -> None:
        """Connect and declare the streams; if nobody answers for `patience` seconds, go on without for now.

        Raises UnusableBus when no waiting would help.
        """
        await self._connection.open(patience)
        self._is_open = True

    @property
    def is_connected(self) -> bool:
        """Whether other nodes can be told anything now."""
        return self._connection.client is not None

    def stop(self) -> None:
        """Send every reader away: this process ends."""
        self._is_stopped = True
        for interest in self._interests.values():
            for tail in interest.tails:
                tail.stop()
        # A reader that asks what is kept would otherwise wait for an answer first.
        self._replay.detach()

    async def close(self) -> None:
        """Send what is to be sent, within a second, and let go."""
        self.stop()
        if self.is_connected:
            await self._outbox.drain(SETTLE_WITHIN)
        await self._connection.close()
        if self._healing is not None:
            self._healing.cancel()
            await asyncio.gather(self._healing, return_exceptions=True)

    async def _came_up(self, client: Client) -> None:
        """Put on a new connection what has to be there, before anything is sent over it."""
        await client.subscribe(self._streams.cancels, cb=self._cancel_came)
        await self._replay.attach(client)
        try:
            # First of all: what is published before the streams are there is not kept.
            await self._streams.declare(client)
        except (errors.Error, TimeoutError) as error:
            if not self._is_open:
                raise
            # Without JetStream, as in an election, events still reach who listens.
            log.debug("nats streams not declared at once", reason=words(error))
            self._heal()
        # Readers may come all the while: the last look finds nobody left out, and nothing is awaited after it.
        while left_out := [(id, each) for id, each in self._interests.items() if each.client is not client]:
            for run_id, interest in left_out:
                await self._subscribe(client, run_id, interest)
        for interest in self._interests.values():
            for tail in interest.tails:
                tail.fall_behind()
        self._senders = [
            asyncio.create_task(self._outbox.send_over(client), name="nats sender"),
            asyncio.create_task(self._outbox.confirm_over(client), name="nats confirmer"),
        ]
        for sender in self._senders:
            sender.add_done_callback(_sender_ended)

    def _went_down(self) -> None:
        self._replay.detach()
        for sender in self._senders:
            sender.cancel()
        self._senders = []

    def _heal(self) -> None:
        """Declare the streams again: somebody found them missing."""
        if self._healing is None or self._healing.done():
            self._healing = asyncio.create_task(self._declare_again(), name="nats streams")

    async def _declare_again(self) -> None:
        told = ""
        while True:
            client = await self._connection.wait()
            if client is None:
                return
            try:
                await self._streams.declare(client)
                log.debug("nats streams declared")
                return
            except (errors.Error, OSError, TimeoutError) as error:
                if words(error) != told:
                    told = words(error)
                    log.warning("nats streams not declared", reason=told)
                await asyncio.sleep(PAUSE)

    # Offers

    async def offer(self, run_id: RunId) -> None:
        """See ports.Bus."""
        # Without a server nobody is told, and the reconcilers, who read rows, find the run. In turn behind the run's
        # events, so that whoever takes the offer speaks after them.
        if self.is_connected:
            self._outbox.put(Letter(self._streams.offer_of(run_id), run_id.encode()))

    async def offers(self) -> AsyncIterator[RunId]:
        """See ports.Bus."""
        asked: Client | None = None
        workers: JetStreamContext.PullSubscription | None = None
        is_troubled = False
        while (client := await self._connection.wait()) is not None:
            heed_cancellation()
            try:
                if workers is None or asked is not client:
                    asked, workers = client, await client.jetstream().pull_subscribe_bind(WORKERS, self._streams.offers)
                run_id = await self._next_offer(workers)
            except errors.TimeoutError:
                # Nothing was offered.
                is_troubled = False
                continue
            except (errors.Error, OSError, TimeoutError) as error:
                heed_cancellation()
                # A lost connection, an election, or a stream that is not there any more.
                if client.is_connected:
                    if not is_troubled:
                        log.warning("offers not read", reason=words(error))
                    is_troubled = True
                    self._heal()
                await asyncio.sleep(PAUSE)
                continue
            is_troubled = False
            yield run_id

    async def _next_offer(self, workers: JetStreamContext.PullSubscription) -> RunId:
        # One at a time, and only when the last one was taken: a node that asks for many hoards what others could do.
        [message] = await workers.fetch(1, timeout=FETCH_FOR)
        # Acknowledged on hand-over, not when the run ends. If this node dies now the run's row still says that it
        # waits, or whose lease it is, and the reconcilers go by that.
        await message.ack()
        return _run_id(message)

    # What one owner is told

    async def offer_to(self, owner: str, run_id: RunId) -> None:
        """See ports.Bus."""
        queue = self._cancels.get(owner)
        if queue is not None:
            queue.put_nowait(run_id)
        elif self.is_connected:
            # In turn behind the run's events, as every offer.
            self._outbox.put(Letter(self._streams.cancel_of(owner), run_id.encode()))

    async def cancel(self, owner: str, run_id: RunId) -> None:
        """See ports.Bus."""
        queue = self._cancels.get(owner)
        if queue is not None:
            queue.put_nowait(run_id)
        elif self.is_connected:
            self._outbox.put_first(Letter(self._streams.cancel_of(owner), run_id.encode()))

    def cancels(self, owner: str) -> AsyncIterator[RunId]:
        """See ports.Bus."""
        # Every node hears all cancellations, few as they are: a subscription made here would not be there yet when
        # this returns, and what is said from the call on counts.
        return _drain(self._cancels.setdefault(owner, asyncio.Queue()))

    async def _cancel_came(self, message: Msg) -> None:
        queue = self._cancels.get(message.subject.rpartition(".")[2])
        if queue is not None:
            queue.put_nowait(_run_id(message))

    # Events

    def emit(self, run_id: RunId, events: Sequence[StreamEvent]) -> None:
        """See ports.Bus."""
        if not events:
            return
        interest = self._interests.get(run_id)
        if interest is not None:
            for tail in interest.tails:
                tail.feed(events)
        subject = self._streams.events_of(run_id)
        payload = encode(events)
        if len(payload) <= TOGETHER:
            self._outbox.put(Letter(subject, payload, position(events[-1])))
        else:
            for event in events:
                self._outbox.put(Letter(subject, encode([event]), position(event)))

    async def push(self, run_id: RunId) -> None:
        """See ports.Bus."""
        client = self._connection.client
        if client is not None:
            await self._outbox.push(self._streams.events_of(run_id), client)

    async def history(self, run_id: RunId) -> list[StreamEvent]:
        """See ports.Bus."""
        subject = self._streams.events_of(run_id)
        await self._settle(subject)
        found: dict[Position, StreamEvent] = {}
        place, epoch = 1, 0
        try:
            while True:
                page = await self._replay.page(subject, place)
                for kept in page.kept:
                    # Not of a worker that had lost the run. What was sent twice, and perhaps out of turn, is one event.
                    if isinstance(kept.frame, StreamEvent) and kept.frame.epoch >= epoch:
                        epoch = kept.frame.epoch
                        found[position(kept.frame)] = kept.frame
                if page.is_last:
                    break
                place = page.next_place
        except Unreadable as error:
            log.warning("events not read", run_id=run_id, reason=str(error))
        return [found[at] for at in sorted(found)]

    @asynccontextmanager
    async def tail(self, run_id: RunId, after: Position | None) -> AsyncIterator[NatsTail]:
        """See ports.Bus."""
        subject = self._streams.events_of(run_id)
        tail = NatsTail(self._replay, subject, max_buffer=self._max_buffer)
        if self._is_stopped:
            tail.stop()
        # Listening first, then reading what is kept: whatever is in neither was never published.
        await self._listen(run_id, tail)
        try:
            if after == UNSAID:
                tail.begin_unsaid()
            else:
                await self._settle(subject)
                await (tail.begin_at_present() if after is None else tail.begin_after(after))
            yield tail
        finally:
            await self._leave(run_id, tail)

    async def _settle(self, subject: str) -> None:
        """What this node emitted a moment ago is part of what is kept."""
        if self.is_connected:
            await self._outbox.settle(subject, SETTLE_WITHIN)

    async def _listen(self, run_id: RunId, tail: NatsTail) -> None:
        interest = self._interests.setdefault(run_id, _Interest())
        interest.tails.add(tail)
        client = self._connection.client
        if client is not None and len(interest.tails) == 1:
            await self._subscribe(client, run_id, interest)

    async def _subscribe(self, client: Client, run_id: RunId, interest: _Interest) -> None:
        # A subscription for each run of interest, and not one for all: a node would decode what every other says.
        interest.client = client
        try:
            interest.subscription = await client.subscribe(
                self._streams.events_of(run_id),
                cb=_feeding(interest),
                pending_msgs_limit=MAX_UNREAD,
                pending_bytes_limit=MAX_UNREAD_BYTES,
            )
        except errors.ConnectionClosedError:
            # The next connection gets it.
            return

    async def _leave(self, run_id: RunId, tail: NatsTail) -> None:
        interest = self._interests.get(run_id)
        if interest is None:
            return
        interest.tails.discard(tail)
        if interest.tails:
            return
        del self._interests[run_id]
        if interest.subscription is not None:
            try:
                await interest.subscription.unsubscribe()
            except errors.Error:
                # Its connection is gone, and it with it.
                return

    def _was_slow(self, subject: str) -> None:
        for run_id, interest in self._interests.items():
            if self._streams.events_of(run_id) == subject:
                for tail in interest.tails:
                    tail.fall_behind()


def _feeding(interest: _Interest) -> Callable[[Msg], Awaitable[None]]:
    # The library runs the callbacks of a subscription one after the other: this one only hands over.
    async def feed(message: Msg) -> None:
        try:
            frames = decode(message.data)
        except ValueError:
            log.warning("not an event", subject=message.subject)
            return
        for tail in interest.tails:
            tail.feed(frames)

    return feed


def _run_id(message: Msg) -> RunId:
    # Whoever may publish may publish anything: what is no id is one that no run has.
    return RunId(message.data.decode("ascii", "replace").replace("\0", "?"))


def _sender_ended(sender: "asyncio.Task[None]") -> None:
    # A connection that broke ends its sender; the next one has its own.
    if not sender.cancelled() and (error := sender.exception()) is not None:
        log.debug("nats sender ended", reason=str(error))


async def _drain(queue: "asyncio.Queue[RunId]") -> AsyncIterator[RunId]:
    while True:
        yield await queue.get()
