"""Commit a change, then announce it: never two truths with a crash between them."""

from collections.abc import Callable
from typing import Protocol

from runstead.domain.change import Change
from runstead.ports import Bus, Store


class Commits(Protocol):
    """Where a change is handed in."""

    async def commit(self, change: Change) -> None:
        """As `Journal` has it."""


class Journal:
    """The only way anything is written."""

    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._bus = bus
        self._listeners: list[Callable[[Change], None]] = []

    def tell(self, listener: Callable[[Change], None]) -> None:
        """Have a part of this process hear of every change that it stores. A listener neither waits nor fails."""
        self._listeners.append(listener)

    async def commit(self, change: Change) -> None:
        """Store a change and tell whom it concerns. Raises what Store.commit raises; then nothing was said."""
        await self._store.commit(change)
        # A lost announcement costs a reconciler's round, never a fact: the rows have it.
        if change.events and change.run_id is not None:
            self._bus.emit(change.run_id, change.events)
        for run_id in change.offers:
            await (self._bus.offer(run_id) if change.host is None else self._bus.offer_to(change.host, run_id))
        for signal in change.signals:
            await self._bus.cancel(signal.owner, signal.run_id)
        for listener in self._listeners:
            listener(change)
