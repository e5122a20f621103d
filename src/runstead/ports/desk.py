"""Where the API asks for room to execute a run."""

from typing import Protocol

from runstead.domain.records import RunRecord


class Seat(Protocol):
    """Room for one run on this node, kept free until it is used or given back."""

    @property
    def owner(self) -> str: ...

    @property
    def lease_for(self) -> float: ...

    def start(self, record: RunRecord) -> None:
        """Drive a run that was claimed for this owner in a commit."""

    def give_back(self) -> None:
        """Free the room. Harmless after start."""


class Desk(Protocol):
    """Where the API asks whether this node can take a run it is about to create."""

    def take_seat(self) -> Seat | None:
        """Room for one run, or None if this node is full, stopping, or runs no worker."""
