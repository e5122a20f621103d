"""The database's clock, told without asking: every node of a cluster that follows it tells the same time.

Leases, deadlines and what waits are judged by comparing times that different nodes wrote. Their own clocks may
differ by anything; this one differs by less than the time that an answer of the database takes.
"""

import time
from collections.abc import Callable

# How far two quartz clocks may drift apart, as a share of the time that passes; several times what is usual.
_DRIFT = 5e-4


def elapsed() -> float:
    """Seconds from some moment on, also while the machine was suspended, whatever happens to its wall clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class DatabaseClock:
    """See ports.Clock. Before the first measurement it tells this machine's time.

    Each answer that bears the database's time says that our offset from it lies within an interval. Intervals
    are intersected, so that one quick answer outweighs many slow ones, and grow with time, so that drift is seen. An
    answer that contradicts the interval means that the database's clock was set: it is believed.
    """

    def __init__(self, elapsed: Callable[[], float] = elapsed) -> None:
        self._elapsed = elapsed
        self._offset = time.time() - elapsed()
        self._low = float("-inf")
        self._high = float("inf")
        self._measured_at = elapsed()

    def now(self) -> float:
        """The database's time, in unix seconds."""
        return self._elapsed() + self._offset

    @property
    def age(self) -> float:
        """Seconds since the last measurement."""
        return self._elapsed() - self._measured_at

    def start(self) -> float:
        """The moment before a question is sent, for `measured`."""
        return self._elapsed()

    def measured(self, sent_at: float, database_now: float) -> None:
        """An answer has come just now to what was sent then."""
        received_at = self._elapsed()
        grown = (received_at - self._measured_at) * _DRIFT
        low, high = database_now - received_at, database_now - sent_at
        self._low, self._high = max(low, self._low - grown), min(high, self._high + grown)
        self._measured_at = received_at
        if self._low > self._high:
            self._low, self._high = low, high
            # As little as will do: the answer may have been slow, and what it contradicts by a hair nearly right.
            self._offset = min(max(self._offset, low), high)
        else:
            self._offset = (self._low + self._high) / 2
