"""Whether work grows with what there is to do, and not with its square."""

import gc
import time
from collections.abc import Callable

ATTEMPTS = 5
"""A machine that is busy elsewhere may spoil a comparison; a square spoils all of them."""


def grows_in_step(little: Callable[[], object], ten_times: Callable[[], object]) -> bool:
    """Whether ten times the work costs this process clearly less than a hundred times as much."""
    return any(_cost(ten_times) < 40 * _cost(little) for _ in range(ATTEMPTS))


def _cost(work: Callable[[], object]) -> float:
    gc.collect()
    gc.disable()
    try:
        began = time.process_time()
        work()
        return time.process_time() - began
    finally:
        gc.enable()
