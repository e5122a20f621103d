"""Which of a run's events a reader is sent, from where it left off to the run's rest.

What the bus has lost before a reader was told anything is rebuilt from the rows. Later its stream breaks off with an
error: nothing is told twice, a gap is never silent, and the end always comes. Why: docs/design/runs.md.
"""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import AsyncExitStack
from itertools import pairwise
from typing import Self

from runstead.domain import coarse, speech
from runstead.domain.errors import NotFound, Unavailable
from runstead.domain.run_lifecycle import UNDER_WAY
from runstead.domain.speech import Said
from runstead.domain.takeover import STEP_ENDS
from runstead.http.api import Api, RunStream
from runstead.http.endings import Listener
from runstead.http.known import Known
from runstead.ports import UNSAID, EventsLost, PageRequest, Tail
from runstead.wire.base import MessageId, RunId, ThreadId
from runstead.wire.events import LAST_EVENTS, StreamEvent
from runstead.wire.messages import Message

REBUILT = -1
"""The sequence number of events that were rebuilt from rows: nobody can resume after one."""

LAST_WORDS = 1.0
"""Seconds in which the last event of a run that rests must come: it follows the commit."""

GONE = "This run is gone."
LOST = (
    "Events of this stream were lost before they could be sent. The run does not depend on it: retrieve the run, "
    "or attach to its events anew."
)
UNREADABLE = "The store cannot answer at the moment. Retrieve the run, or attach again."


class StreamBroken(Exception):
    """The stream cannot go on; the message tells its reader why and what to do."""


class Relay:
    """One reader's way through a run's events. Entered before what it reads begins, so that it misses nothing."""

    def __init__(self, api: Api, stream: RunStream) -> None:
        self._api = api
        self._run_id = stream.run_id
        self._after = stream.after
        self._from = UNSAID if stream.is_new else stream.after
        self._stack = AsyncExitStack()
        self._tail: Tail | None = None
        self._listener = Listener(stream.run_id)
        self._known: Known | None = None
        self._is_lost = False
        self._has_told = False
        self._start: tuple[int, int] | None = None
        self._last: StreamEvent | None = None
        self._is_broken = False

    def skip_to(self, start: tuple[int, int] | None) -> None:
        """Say nothing of what comes late from before the request that is answered."""
        self._start = start

    async def __aenter__(self) -> Self:
        try:
            self._tail = await self._stack.enter_async_context(self._api.bus.tail(self._run_id, self._from))
        except EventsLost:
            await self._listen_anew()
        return self

    async def __aexit__(self, *reason: object) -> None:
        self._api.endings.forget(self._listener)
        await self._stack.aclose()

    async def _listen_anew(self) -> None:
        """Listen from now on; what came before is told from the rows, which are read after this.

        Raises StreamBroken if the reader was told anything: nobody knows where in a text it stands.
        """
        if self._has_told:
            raise StreamBroken(LOST)
        await self._stack.aclose()
        self._stack = AsyncExitStack()
        self._tail = await self._stack.enter_async_context(self._api.bus.tail(self._run_id, None))
        self._is_lost = True

    async def batches(self, silence: float) -> AsyncGenerator[Sequence[StreamEvent], None]:
        """Events as they come; an empty batch after `silence` seconds without any. Ends when the run rests.

        Raises StreamBroken, or BusStopped.
        """
        # From here on what the stream tells of has been committed, and the rows may be asked.
        self._api.endings.watch(self._listener)
        is_over = self._after is not None and not self._is_lost and await self._has_read_all()
        if is_over:
            yield await self._last_event()
        while not is_over:
            if self._is_lost:
                self._is_lost = False
                events = await self._rebuilt()
            else:
                events = await self._next(silence)
            events, is_over = _until_rest(events, is_attached=self._after is not None)
            if is_over and self._known is not None and self._known.has_withheld:
                events = [*events[:-1], *await self._withheld(self._known), events[-1]]
            self._has_told = self._has_told or bool(events)
            yield events

    async def _has_read_all(self) -> bool:
        """Whether the run rests and its reader has come back after its last event."""
        assert self._tail is not None
        # In this order, and with a look at what was said last: a run says that it rests after it does.
        if not await self._is_resting() or not await self._tail.is_at_end():
            return False
        history = await self._api.bus.history(self._run_id)
        return bool(history) and history[-1].name in LAST_EVENTS and (history[-1].epoch, history[-1].seq) == self._after

    async def _last_event(self) -> Sequence[StreamEvent]:
        record = await self._api.store.find_run(self._run_id)
        if record is None:
            raise StreamBroken(GONE)
        return _as_rebuilt([speech.of_run(record.run)], record.epoch)

    async def _next(self, silence: float) -> Sequence[StreamEvent]:
        assert self._tail is not None
        if self._is_broken:
            raise StreamBroken(LOST)
        try:
            events = await self._listener.next(self._tail, silence)
            if events is None:
                events = await self._tail.next(LAST_WORDS)
                if not events:
                    # It has said that it rests long ago, where nobody could hear it.
                    await self._listen_anew()
        except EventsLost as lost:
            if type(lost) is not EventsLost:
                raise
            await self._listen_anew()
            return ()
        if self._known is None:
            events = self._before_a_gap(events)
        if self._start is not None:
            events = [event for event in events if (event.epoch, event.seq) >= self._start]
        return events if self._known is None else self._known.only_known(events)

    def _before_a_gap(self, events: Sequence[StreamEvent]) -> Sequence[StreamEvent]:
        """All of them, unless the last words of an epoch are missing: no number tells that there were any.

        Outputs are taken in only after it was told that they are waited for.
        """
        for place, (event, following) in enumerate(pairwise(events)):
            before = events[place - 1] if place else self._last
            takes_outputs = (event.seq, following.name) == (0, "thread.run.queued") and event.name in STEP_ENDS
            if takes_outputs and before is not None and before.name != "thread.run.requires_action":
                self._is_broken = True
                return events[:place]
        self._last = events[-1] if events else self._last
        return events

    async def _is_resting(self) -> bool:
        try:
            record = await self._api.store.find_run(self._run_id)
        except Unavailable:
            return False
        return record is None or record.run.status not in UNDER_WAY

    async def _rebuilt(self) -> Sequence[StreamEvent]:
        said, epoch = await self._stored()
        self._known = Known(said)
        # What was said before is in the rows, and may be said again: by nodes that do not know what the bus has kept.
        self._start = max(self._start or UNSAID, (epoch, 0))
        return _as_rebuilt(said, epoch)

    async def _withheld(self, known: Known) -> Sequence[StreamEvent]:
        """What had begun before the reader's beginning was rebuilt and ended later: now the rows have it whole."""
        said, epoch = await self._stored()
        return _as_rebuilt(known.untold(said), epoch)

    async def _stored(self) -> tuple[list[Said], int]:
        store = self._api.store
        try:
            record = await store.find_run(self._run_id)
            if record is None:
                raise StreamBroken(GONE)
            steps = [step.step for step in await store.list_steps(self._run_id)]
            messages = await self._messages(record.run.thread_id, self._run_id)
        except NotFound:
            raise StreamBroken(GONE) from None
        except Unavailable:
            raise StreamBroken(UNREADABLE) from None
        return coarse.rebuilt(record.run, steps, messages), record.epoch

    async def _messages(self, thread_id: ThreadId, run_id: RunId) -> dict[MessageId, Message]:
        found: dict[MessageId, Message] = {}
        after: str | None = None
        while True:
            page = await self._api.store.page_messages(thread_id, PageRequest(100, "asc", after), run_id)
            found |= {message.id: message for message in page.items}
            if not page.has_more:
                return found
            after = page.items[-1].id


def _as_rebuilt(said: Iterable[Said], epoch: int) -> list[StreamEvent]:
    return [StreamEvent(event.epoch, REBUILT, event.name, event.data) for event in speech.numbered(said, epoch=epoch)]


def _until_rest(events: Sequence[StreamEvent], *, is_attached: bool) -> tuple[Sequence[StreamEvent], bool]:
    """The events up to the one with which the stream ends: what follows belongs to the next stream.

    A reader that attached is shown a whole run, so an action that was taken meanwhile does not end its stream.
    """
    for index, event in enumerate(events):
        is_past = is_attached and event.name == "thread.run.requires_action" and index < len(events) - 1
        if event.name in LAST_EVENTS and not is_past:
            return events[: index + 1], True
    return events, False
