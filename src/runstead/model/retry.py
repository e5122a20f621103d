"""How long to wait before asking again: few times, for seconds in all, and never against the server's word."""

import random
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from msgspec import Struct

from runstead.model.upstream_errors import Failure, UpstreamError

LAST_WAIT = 0.9
"""A wait takes at most this share of the time left, so that the attempt after it has some."""


class RetryPolicy(Struct, frozen=True):
    """At most `retries` after the first attempt, none begun later than `within` seconds after it."""

    retries: int = 2
    within: float = 8.0
    first_wait: float = 0.5
    growth: float = 3.0


class Patience:
    """What is left of it for one call. `started` is the monotonic time of the first attempt."""

    def __init__(self, policy: RetryPolicy, started: float) -> None:
        self._policy = policy
        self._started = started
        self._retried = 0

    def wait(self, error: UpstreamError, now: float) -> float | None:
        """Seconds to wait before the next attempt, or None if there is to be none."""
        left = self._policy.within - (now - self._started)
        if not error.is_passing or self._retried >= self._policy.retries or left <= 0:
            return None
        self._retried += 1
        if error.retry_after is not None:
            return error.retry_after if error.retry_after <= left else None
        if error.failure is Failure.CUT and self._retried == 1:
            # Mostly a kept connection that the server closed just when it was used again: a new one is all it takes.
            return 0.0
        wait = self._policy.first_wait * self._policy.growth ** (self._retried - 1)
        # Many runs fail at the same moment; they should not all come back at the same moment.
        wait *= random.uniform(0.75, 1.25)
        return min(wait, left * LAST_WAIT)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that a server asks to wait: `retry-after-ms`, or `Retry-After` in seconds or as a date."""
    milliseconds = headers.get("retry-after-ms")
    if milliseconds is not None and (seconds := _number(milliseconds)) is not None:
        return seconds / 1000
    asked = headers.get("Retry-After")
    if asked is None:
        return None
    if (seconds := _number(asked)) is not None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(asked).timestamp() - now)
    except ValueError:
        return None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    # Excludes nan, which compares false to everything.
    return number if number >= 0 else None
