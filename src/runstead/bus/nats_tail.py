"""A reader's place in a run's events: what comes live, joined without a gap to what the server keeps.

Live events are held only while they fit a small buffer. Whatever was missed, for whatever reason, shows as a number
that does not follow the last one, and is read from where it is kept; what is not kept is said to be lost.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence

from runstead.bus.event_log import EVENT_OVERHEAD, FIRST
from runstead.bus.nats_errors import Unreadable
from runstead.bus.nats_frames import Frame, Lost, Position, position
from runstead.bus.nats_replay import Kept, Page, Replay
from runstead.ports import UNSAID, BusStopped, EventsLost
from runstead.wire.events import StreamEvent

MAX_BUFFER = 2**18
"""Bytes of live events that wait for their reader; beyond that they are read from the server when it comes."""
LOOK_AGAIN = 0.1
"""Seconds between two looks for one thing. A live event may be here before those it follows are stored, and a replica
that is asked may lag."""
LOOKS_FOR_A_HOLE = 5
PATIENCE = 10.0
"""Seconds a reader with a hole waits for a server that cannot be asked."""


class NatsTail:
    """See ports.Tail."""

    def __init__(self, replay: Replay, subject: str, *, max_buffer: int = MAX_BUFFER) -> None:
        self._replay = replay
        self._subject = subject
        self._max_buffer = max_buffer
        self._last: Position | None = None
        """The last event read. None: whatever comes first is taken."""
        self._place = 1
        """Where in the stream to read on; before it is nothing new."""
        self._gap: Kept | None = None
        """The first event found in the stream since then that does not follow."""
        self._live: deque[Frame] = deque()
        self._size = 0
        self._is_overflown = False
        self._has_missed = False
        """Whether something may have gone past that no number will show."""
        self._looks = 0
        """How many more times to look at what is kept."""
        self._look_at = 0.0
        self._looked_in_vain = 0
        self._trouble_since: float | None = None
        self._cleared: Position | None = None
        """The start of an epoch before which nothing is missing."""
        self._waiter: asyncio.Future[None] | None = None
        self._is_stopped = False

    # What the bus says

    def feed(self, frames: Iterable[Frame]) -> None:
        """These came live, in order."""
        if self._is_overflown:
            return
        if self._size > self._max_buffer:
            # Asked before it is added, so that one large event is no reason.
            self._is_overflown = True
            self._live.clear()
            self._size = 0
            self._fall_behind()
            return
        for frame in frames:
            self._live.append(frame)
            self._size += _size(frame)
        self._wake()

    def fall_behind(self) -> None:
        """Something may have been missed, and the stream may be another one."""
        self._place, self._gap = 1, None
        self._fall_behind()

    def _fall_behind(self) -> None:
        self._has_missed = True
        # Twice: what was passed on a moment ago may not be stored yet.
        self._look(times=2)
        self._wake()

    def stop(self) -> None:
        """This node ends: once what is here is read, there is no more."""
        self._is_stopped = True
        self._wake()

    @property
    def size(self) -> int:
        """Bytes of live events held."""
        return self._size

    def _look(self, times: int, *, after: float = 0.0) -> None:
        self._looks = max(self._looks, times)
        self._look_at = asyncio.get_running_loop().time() + after

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # Entering

    def begin_unsaid(self) -> None:
        """The first event that there is will be the first one read: nothing need be asked before it is said."""
        self._last = UNSAID
        # Others may speak before the server knows that we listen.
        self._look(times=2)

    async def begin_at_present(self) -> None:
        """The next event to be emitted is the first one read."""
        try:
            page = await self._replay.last(self._subject)
        except Unreadable:
            # Then the first event that comes is the first there is to know of.
            return
        if self._live:
            self._last = (self._live[0].epoch, self._live[0].seq - 1)
        else:
            self._last = position(page.kept[-1].frame) if page.kept else UNSAID
        self._place = page.next_place

    async def begin_after(self, after: Position) -> None:
        """What follows a position is read next. Raises EventsLost unless it is known that nothing lies in between."""
        self._last = after
        first = await self._first_kept()
        if first is None:
            # What another node emitted a moment ago may be on its way; what has expired is gone at the second look too.
            await self._wait(asyncio.get_running_loop().time() + LOOK_AGAIN)
            first = await self._first_kept()
        if first is None or not _leaves_nothing_out(first, after):
            raise EventsLost
        self._look(times=2)

    async def _first_kept(self) -> Position | None:
        try:
            page = await self._replay.page(self._subject, 1)
        except Unreadable as error:
            raise EventsLost from error
        return position(page.kept[0].frame) if page.kept else None

    # Reading

    async def next(self, timeout: float) -> Sequence[StreamEvent]:
        """See ports.Tail."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while True:
            events = self._take_live()
            if events:
                return events
            if self._is_stopped:
                raise BusStopped
            if self._looks and self._look_at <= loop.time():
                events = await self._look_back()
                if events:
                    return events
            elif loop.time() < deadline:
                await self._wait(min(deadline, self._look_at) if self._looks else deadline)
                continue
            if loop.time() >= deadline:
                return []

    async def is_at_end(self) -> bool:
        """See ports.Tail."""
        while self._last is not None and self._first_unread() is None:
            try:
                page = await self._replay.page(self._subject, self._place)
            except Unreadable:
                return False
            if any(position(kept.frame) > self._last for kept in page.kept):
                return False
            self._place = page.next_place
            if page.is_last:
                return True
        return False

    async def _wait(self, until: float) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        timer = asyncio.get_running_loop().call_at(until, self._wake)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _take_live(self) -> list[StreamEvent]:
        """What is here and follows. What does not follow stays, and is looked for."""
        taken: list[StreamEvent] = []
        while self._live:
            frame = self._live[0]
            place = position(frame)
            if self._last is not None and place <= self._last:
                # Seen already; or of an epoch that is over, from a worker that does not know it yet.
                pass
            elif isinstance(frame, StreamEvent) and self._may_follow(place):
                self._last = place
                taken.append(frame)
            else:
                if not self._looks:
                    self._look(times=1)
                break
            self._live.popleft()
            self._size -= _size(frame)
        if taken:
            self._looked_in_vain = 0
        return taken

    def _may_follow(self, place: Position) -> bool:
        if self._last is None or place == self._cleared or (self._last, place) == (UNSAID, FIRST):
            return True
        if place[1] == 0 and not self._replay.is_reachable and not self._has_missed:
            # Nobody can be asked, and nothing speaks against it.
            return True
        # An epoch's numbers do not tell how many the one before had: that is looked up.
        return place == (self._last[0], self._last[1] + 1)

    async def _look_back(self) -> list[StreamEvent]:
        """One page of what is kept. Raises EventsLost if it does not have what is missing."""
        self._is_overflown = False
        try:
            page = await self._replay.page(self._subject, self._place)
        except Unreadable:
            self._bear_with_it()
            return []
        self._trouble_since = None
        events = self._take_kept(page)
        if events:
            self._looked_in_vain = 0
        if page.is_last and not self._is_overflown:
            if self._gap is not None:
                self._judge(self._gap, has_news=bool(events))
            elif not events:
                self._caught_up()
        return events

    def _take_kept(self, page: Page) -> list[StreamEvent]:
        taken: list[StreamEvent] = []
        for kept in page.kept:
            frame, place = kept.frame, position(kept.frame)
            if self._last is not None and place <= self._last:
                continue
            if isinstance(frame, Lost):
                if not taken:
                    raise EventsLost
                self._place = kept.place
                return taken
            if _is_next(place, self._last) or (self._gap is None and _follows(place, self._last)):
                self._last = place
                taken.append(frame)
            elif self._gap is None:
                # What is missing here may come later in the stream: sent again, once its emitter had doubts.
                self._gap = kept
        self._place = page.next_place
        return taken

    def _judge(self, gap: Kept, *, has_news: bool) -> None:
        """Everything kept was read once: what was passed over is read now, if what was missing before it was found."""
        self._place, self._gap = gap.place, None
        is_closed = self._last is not None and self._last >= position(gap.frame)
        if not is_closed and not has_news:
            self._looked_for_nothing()

    def _looked_for_nothing(self) -> None:
        self._looked_in_vain += 1
        if self._looked_in_vain >= LOOKS_FOR_A_HOLE:
            raise EventsLost
        # Each time later: after an election it takes its emitter a while to notice that it has to send again.
        self._look(times=1, after=LOOK_AGAIN * 2**self._looked_in_vain)

    def _caught_up(self) -> None:
        self._has_missed = False
        self._looks -= 1
        self._look_at = asyncio.get_running_loop().time() + LOOK_AGAIN
        first = self._first_unread()
        if first is None or _is_next(first, self._last):
            return
        if first[1] == 0:
            self._cleared = first
            return
        self._looked_for_nothing()
        # Streams that were deleted and declared again count from the beginning.
        self._place = 1

    def _bear_with_it(self) -> None:
        """What is kept cannot be read now: go on without if that is safe, and not for ever if it is not."""
        now = asyncio.get_running_loop().time()
        self._look_at = now + LOOK_AGAIN
        if self._trouble_since is None:
            self._trouble_since = now
        first = self._first_unread()
        if first is None or _is_next(first, self._last):
            return
        if first[1] == 0 and not self._has_missed:
            self._cleared = first
        elif now - self._trouble_since > PATIENCE:
            raise EventsLost

    def _first_unread(self) -> Position | None:
        return next((position(f) for f in self._live if self._last is None or position(f) > self._last), None)


def _leaves_nothing_out(first: Position, after: Position) -> bool:
    """Whether no event can have been between a position and the first event kept."""
    return first <= after or first in (FIRST, (after[0], after[1] + 1))


def _is_next(place: Position, last: Position | None) -> bool:
    return last is None or place == (last[0], last[1] + 1)


def _follows(place: Position, last: Position | None) -> bool:
    return last is None or _is_next(place, last) or (place[0] > last[0] and place[1] == 0)


def _size(frame: Frame) -> int:
    return EVENT_OVERHEAD + (len(frame.data) if isinstance(frame, StreamEvent) else 0)
