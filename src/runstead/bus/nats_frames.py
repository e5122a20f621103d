"""How events travel over NATS: a line of text with position, name and length, then the event's data as it is.

A message holds one or more of these, so that what was emitted together is sent together.
"""

from collections.abc import Iterable
from typing import cast

from msgspec import Struct

from runstead.wire.events import EventName, StreamEvent

Position = tuple[int, int]
"""Epoch and number within it."""

_LOST = b"lost"


class Lost(Struct, frozen=True):
    """Its emitter had to drop events of this run, up to this one: who has not seen them never will."""

    epoch: int
    seq: int


Frame = StreamEvent | Lost


def encode(events: Iterable[StreamEvent]) -> bytes:
    """One message's payload."""
    return b"".join(
        [b"%d %d %s %d\n%s" % (e.epoch, e.seq, e.name.encode(), len(e.data), e.data) for e in events],
    )


def encode_lost(position: Position) -> bytes:
    """The notice of a loss."""
    return b"%d %d %s 0\n" % (*position, _LOST)


def decode(payload: bytes) -> list[Frame]:
    """What a message says. Raises ValueError if it was not written here."""
    frames: list[Frame] = []
    start = 0
    while start < len(payload):
        end = payload.index(b"\n", start)
        epoch, seq, name, size = payload[start:end].split(b" ")
        start = end + 1 + int(size)
        if start > len(payload):
            raise ValueError("a frame is cut short")
        if name == _LOST:
            frames.append(Lost(int(epoch), int(seq)))
        else:
            # A newer release may know a name that this one does not: it is passed on, as clients skip what is new.
            word = cast("EventName", name.decode())
            frames.append(StreamEvent(int(epoch), int(seq), word, payload[end + 1 : start]))
    return frames


def position(frame: Frame) -> Position:
    """Where in its run a frame belongs."""
    return frame.epoch, frame.seq
