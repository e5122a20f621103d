"""What a session and its server say to each other: a length, a JSON head, and as many raw bytes as the head says.

Whatever comes from a session was written by an attacker. So heads are small and of known shapes, raw bytes come in
pieces, text is decoded with replacement, and the first frame that is none ends the session. Nothing here allocates what
a length promises before the bytes are there.
"""

import asyncio
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

LARGEST_HEAD = 16 * 1024
LARGEST_RAW = 256 * 1024


class Garbled(Exception):
    """These bytes are no frame; who sent them is not listened to any longer."""


class Said(Struct, frozen=True, tag_field="op", forbid_unknown_fields=True, kw_only=True):
    """A frame of the session's. `raw` is how many bytes follow its head; only some may have any."""

    carries: ClassVar[bool] = False
    raw: int = 0
    id: str = ""


class Ready(Said, frozen=True, tag="ready"):
    """The session's Python has started."""

    python: str


class Text(Said, frozen=True, tag="text"):
    """Some output."""

    carries = True


class Image(Said, frozen=True, tag="image"):
    """An image begins."""


class File(Said, frozen=True, tag="file"):
    """A file begins."""

    name: str


class Chunk(Said, frozen=True, tag="chunk"):
    """A piece of the image or file that began last."""

    carries = True


class End(Said, frozen=True, tag="end"):
    """The image or file is whole."""


class Refused(Said, frozen=True, tag="refused"):
    """Something in /mnt/data is not handed over."""

    name: str
    why: str


class Ran(Said, frozen=True, tag="ran"):
    """The code has ended; files follow."""

    ok: bool
    cut: bool


class Done(Said, frozen=True, tag="done"):
    """The call is over."""

    ok: bool


Frame = Ready | Text | Image | File | Chunk | End | Refused | Ran | Done

_decoder: msgspec.json.Decoder[Frame] = msgspec.json.Decoder(Frame)


async def read_frame(reader: asyncio.StreamReader) -> tuple[Frame, bytes]:
    """The next frame and its bytes. Raises Garbled, or EOFError where the session ended."""
    length = int.from_bytes(await reader.readexactly(4), "big")
    if not 0 < length <= LARGEST_HEAD:
        raise Garbled(f"a head of {length} bytes")
    frame = decode_head(await reader.readexactly(length))
    return frame, await reader.readexactly(frame.raw)


def decode_head(data: bytes) -> Frame:
    """A head as one of the known shapes. Raises Garbled."""
    try:
        frame = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Garbled(f"a head that is none: {error}") from None
    if not 0 <= frame.raw <= (LARGEST_RAW if frame.carries else 0):
        raise Garbled(f"{frame.raw} bytes after {type(frame).__name__}")
    return frame


def encode(op: str, raw: bytes = b"", **fields: Any) -> bytes:
    """A frame for the session."""
    head = msgspec.json.encode({"op": op, **fields, "raw": len(raw)})
    return len(head).to_bytes(4, "big") + head + raw


def words(data: bytes) -> str:
    """A session's bytes as text that anybody can store and send: no half characters, no U+0000."""
    return data.decode("utf-8", "replace").replace("\0", "\ufffd")
