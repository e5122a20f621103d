"""Waiting for a fact that nothing announces."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE = 0.01
PATIENCE = 20.0


def eventually(look: Callable[[], T], is_so: Callable[[T], object] = bool) -> T:
    """What `look` sees once `is_so` holds for it; fails with what it saw last."""
    until = time.monotonic() + PATIENCE
    while not is_so(seen := look()):
        assert time.monotonic() < until, f"still {seen!r}"
        time.sleep(PAUSE)
    return seen
