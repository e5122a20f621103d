"""The bus as a process sees it: offers and cancellations may be lost, come twice or late; events are kept in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from runstead.wire.base import RunId
from runstead.wire.events import StreamEvent

if TYPE_CHECKING:
    from tests.simulation.world import World


def as_read(events: Iterable[StreamEvent]) -> list[StreamEvent]:
    """What readers make of events that come late or again: a number that does not rise is dropped."""
    seen, place = [], (0, -1)
    for event in events:
        if (event.epoch, event.seq) > place:
            seen.append(event)
            place = (event.epoch, event.seq)
    return seen


class Post:
    """What all processes share: where offers wait, who listens, what was said."""

    def __init__(self) -> None:
        self.offers: deque[RunId] = deque()
        self.takers: deque[tuple[int, asyncio.Future[RunId]]] = deque()
        self.letters: dict[str, deque[RunId]] = {}
        self.listeners: dict[str, asyncio.Future[None]] = {}
        self.events: dict[RunId, list[StreamEvent]] = {}
        self.is_deaf = False
        self.lost_events: set[RunId] = set()

    def offered(self, run_id: RunId, dead: set[int]) -> None:
        """To one process of all. Whoever stands still may have asked before it stopped, and gets it."""
        while self.takers:
            process, taker = self.takers.popleft()
            if process not in dead and not taker.done():
                taker.set_result(run_id)
                return
        self.offers.append(run_id)

    def written_to(self, owner: str, run_id: RunId) -> None:
        if owner in self.letters:
            self.letters[owner].append(run_id)
            listener = self.listeners.get(owner)
            if listener is not None and not listener.done():
                listener.set_result(None)


class ProcessBus:
    """See ports.Bus."""

    def __init__(self, world: World, process: int) -> None:
        self._world = world
        self._post = world.post_office
        self._process = process

    async def offer(self, run_id: RunId) -> None:
        self._world.network.post(f"offer {run_id}", lambda: self._post.offered(run_id, self._world.loop.dead))

    async def offers(self) -> AsyncIterator[RunId]:
        while True:
            if self._post.offers:
                yield self._post.offers.popleft()
                continue
            taker: asyncio.Future[RunId] = self._world.loop.create_future()
            self._post.takers.append((self._process, taker))
            yield await taker

    async def offer_to(self, owner: str, run_id: RunId) -> None:
        self._world.network.post(f"offer {run_id} to {owner}", lambda: self._post.written_to(owner, run_id))

    async def cancel(self, owner: str, run_id: RunId) -> None:
        self._world.network.post(f"cancel {run_id} of {owner}", lambda: self._post.written_to(owner, run_id))

    def cancels(self, owner: str) -> AsyncIterator[RunId]:
        self._post.letters[owner] = deque()
        return self._read(owner)

    async def _read(self, owner: str) -> AsyncIterator[RunId]:
        letters = self._post.letters[owner]
        while True:
            while letters:
                yield letters.popleft()
            listener = self._post.listeners[owner] = self._world.loop.create_future()
            await listener

    def emit(self, run_id: RunId, events: Sequence[StreamEvent]) -> None:
        self._world.witness.emitted(self._process, run_id, events)
        if self._post.is_deaf:
            self._post.lost_events.add(run_id)
        else:
            self._post.events.setdefault(run_id, []).extend(events)

    async def push(self, run_id: RunId) -> None:
        """What is emitted is out."""

    async def history(self, run_id: RunId) -> list[StreamEvent]:
        if self._post.is_deaf:
            # What nobody can read nobody can close.
            self._post.lost_events.add(run_id)
            return []
        return as_read(self._post.events.get(run_id, ()))

    @asynccontextmanager
    async def tail(self, run_id: RunId, after: tuple[int, int] | None) -> AsyncIterator[Tail]:
        yield Tail(self._post.events.setdefault(run_id, []))


class Tail:
    """A reader that looks again every now and then."""

    def __init__(self, events: list[StreamEvent]) -> None:
        self._events = events
        self._place = len(events)

    async def next(self, timeout: float) -> Sequence[StreamEvent]:
        if len(self._events) == self._place:
            await asyncio.sleep(min(timeout, 0.5))
        news = self._events[self._place :]
        self._place += len(news)
        return news

    async def is_at_end(self) -> bool:
        return len(self._events) == self._place
