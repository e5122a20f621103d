"""Found by Python at its start when this folder is on PYTHONPATH: the wall clock goes wrong by SKEW seconds."""

import os
import time

_true = time.time
_skew = float(os.environ.get("SKEW", "0"))


def _wrong() -> float:
    return _true() + _skew


time.time = _wrong
