"""What is read of a run before it is claimed, so that its driver need not ask the store again before the model is asked.

Nobody writes the steps of a queued run, and clients may not add to its thread: what was read before the claim is what
the claim finds.
"""

import math
from collections.abc import Sequence

from msgspec import Struct

from runstead.domain.records import RunRecord
from runstead.ports import Snapshot, Store
from runstead.wire.base import RunId
from runstead.wire.messages import Message


class Ahead(Struct, frozen=True):
    """A snapshot of a queued run, with as many bytes of its thread as were asked for."""

    snapshot: Snapshot
    bytes: float

    @classmethod
    def of_new(cls, record: RunRecord, messages: Sequence[Message]) -> "Ahead":
        """Of a run whose thread is as new as itself."""
        return cls(Snapshot(record, steps=[], messages=list(messages), older=0, earlier_steps=[]), math.inf)


class Appetite:
    """As many bytes of a thread as the last driver wanted: models differ, and the run that comes is not known yet."""

    def __init__(self) -> None:
        self.bytes = 0

    async def read(self, store: Store, run_id: RunId) -> Ahead | None:
        """Raises Unavailable."""
        bytes = self.bytes
        snapshot = await store.snapshot(run_id, bytes)
        return None if snapshot is None else Ahead(snapshot, bytes)
