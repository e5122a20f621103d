"""Where the API asks for room to execute a run."""

from collections.abc import Sequence
from typing import Protocol

from runstead.domain.records import RunRecord
from runstead.wire.messages import Message


class Seat(Protocol):
    """Room for one run on this node, kept free until it is used or given back."""

    @property
    def owner(self) -> str: ...

    @property
    def lease_for(self) -> float: ...

    def start(self, record: RunRecord, messages: Sequence[Message] | None = None) -> None:
        """Drive a run that was claimed for this owner in a commit. `messages` are its thread's, if that is as new."""

    def give_back(self) -> None:
        """Free the room. Harmless after start."""


class Desk(Protocol):
    """Where the API asks who can take a run it is about to create."""

    async def host_of(self, record: RunRecord) -> str | None:
        """The other node that has what the thread's code left behind, if it lives: it should have the run.

        Raises Unavailable.
        """

    def take_seat(self) -> Seat | None:
        """Room for one run, or None if this node is full, stopping, or runs no worker."""
