"""What server and embedding process say to each other: frames of a length and MessagePack."""

from collections.abc import Sequence
from typing import Literal

import msgspec

LENGTH = 4
LONGEST = 256 * 1024 * 1024

Lane = Literal["query", "documents"]


class Ask(msgspec.Struct, frozen=True):
    """Texts to embed. Queries have a thread of their own and never wait behind documents."""

    id: int
    lane: Lane
    texts: Sequence[str]


class Answer(msgspec.Struct, frozen=True):
    """For each text the vectors of its windows, or what went wrong. The first frame, 0, says that the model is loaded."""

    id: int
    vectors: Sequence[Sequence[bytes]] = ()
    failure: str = ""


def framed(message: Ask | Answer) -> bytes:
    packed = msgspec.msgpack.encode(message)
    return len(packed).to_bytes(LENGTH, "big") + packed
