"""What SIGTERM and SIGINT mean to a server."""

import asyncio
import math
import signal
from typing import Self

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
ONE_WISH = 1.0
"""Seconds within which several signals mean one: a terminal tells a whole group, and a wrapper passes on what it hears."""


class StopSignals:
    """What whoever sends SIGTERM or SIGINT wants: a stop in order, and with one that comes later, at once."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.haste = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._starting = asyncio.current_task()
        self._hasty_from = math.inf

    def __enter__(self) -> Self:
        for number in STOP_SIGNALS:
            # Not the loop's own: those are gone for a moment before a process can say that it ignores them.
            signal.signal(number, lambda *_: self._loop.call_soon_threadsafe(self._came))
        return self

    def __exit__(self, *reason: object) -> None:
        """The stop was in order and says so, whatever comes while the process ends."""
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def has_started(self) -> None:
        """From now on there is something to drain. A start may wait long for others, and is given up at once."""
        self._starting = None

    def _came(self) -> None:
        now = self._loop.time()
        if self.stop.is_set():
            if now >= self._hasty_from:
                self.haste.set()
            return
        self._hasty_from = now + ONE_WISH
        self.stop.set()
        if self._starting is not None:
            self._starting.cancel()
