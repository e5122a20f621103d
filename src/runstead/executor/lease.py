"""How long a driver may believe that its run is its own."""

import time


class LeaseLost(Exception):
    """The run is not ours any more: stop, write nothing, emit nothing."""


class Lease:
    """A driver's trust in its claim, by the monotonic clock: it ends before the row's lease does.

    The margin covers the time between a renewal's start and its commit, and a clock that stood still with a
    stopped process is no help to it: the check happens when the process wakes, against real time.
    """

    def __init__(self, trust_for: float) -> None:
        self._trust_for = trust_for
        self._claimed_at = time.monotonic()
        self._valid_until = self._claimed_at + trust_for

    def renewed(self, asked_at: float) -> None:
        """A renewal that was asked for at that monotonic moment succeeded."""
        self._valid_until = asked_at + self._trust_for

    def granted(self) -> None:
        """The claim was answered: what is asked of the store from now on knows of it."""
        self._claimed_at = time.monotonic()

    def is_known_since(self, asked_at: float) -> bool:
        """Whether an answer to what was asked at that monotonic moment has to know of this lease."""
        return self._claimed_at < asked_at

    @property
    def is_valid(self) -> bool:
        """Whether nobody else can have taken the run yet."""
        return time.monotonic() < self._valid_until
