"""What a call of a built-in tool may have to know of the run that it belongs to."""

from msgspec import Struct

from runstead.ports import Snapshot
from runstead.wire.threads import Thread


class Surroundings(Struct, frozen=True):
    """The run and its thread as they are stored, and how many tokens its model can take in."""

    snapshot: Snapshot
    thread: Thread
    window: int
