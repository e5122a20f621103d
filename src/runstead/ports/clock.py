"""What time it is."""

from typing import Protocol


class Clock(Protocol):
    """Unix seconds with fractions."""

    def now(self) -> float: ...
