"""How large the context of each model is, asked of the server once before the first run and then in the background."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from runstead.domain.errors import ModelFailed
from runstead.model.cards import Card

log = structlog.get_logger(__name__)

DEFAULT_WINDOW = 128_000
"""Tokens, where neither the setting nor the server tells."""
PATIENCE = 2.0
"""Seconds that the first run waits for a list that may be slow or missing."""
FRESH_FOR = 300.0
"""Seconds after which the list is asked for again, beside the run that notices."""


class Windows:
    """Windows in tokens by the server's model names. `ask` may raise ModelFailed."""

    def __init__(self, ask: Callable[[], Awaitable[list[Card]]]) -> None:
        self._ask = ask
        self._known: dict[str, int] | None = None
        self._asked_at = 0.0
        self._lock = asyncio.Lock()
        self._refreshing: asyncio.Task[None] | None = None

    async def get(self, model: str) -> int:
        if self._known is None:
            async with self._lock:
                if self._known is None:
                    await self._refresh()
        elif time.monotonic() - self._asked_at > FRESH_FOR and (not self._refreshing or self._refreshing.done()):
            self._refreshing = asyncio.create_task(self._refresh())
        return (self._known or {}).get(model, DEFAULT_WINDOW)

    async def close(self) -> None:
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)

    async def _refresh(self) -> None:
        self._asked_at = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                cards = await self._ask()
        except (ModelFailed, TimeoutError) as error:
            log.info("the model server does not tell its context windows", reason=str(error) or "too slow")
            self._known = self._known or {}
        else:
            self._known = {card.model.id: card.window for card in cards if card.window is not None}
