"""Two machines, one box: the session's line and the files for it, as parts of one encrypted connection.

A part is a kind, a length and as many bytes. The line's bytes pass unread in both directions: whoever runs the
sandboxes has no need to understand them, and who uses them believes nothing anyway.
"""

import asyncio
import hmac

from msgspec import Struct

PART = 256 * 1024
VERSION = 1
LINE, FILE, DATA, WHOLE, STAGED, ENDED, HELLO, WELCOME, NO = b"L", b"F", b"D", b"W", b"S", b"E", b"H", b"Y", b"N"
KINDS = frozenset((LINE, FILE, DATA, WHOLE, STAGED, ENDED, HELLO, WELCOME, NO))


class Severed(Exception):
    """The other side said something that makes no sense, or nothing any more."""


class Hello(Struct, frozen=True, forbid_unknown_fields=True):
    """Who asks for a box, and that they may."""

    version: int
    secret: str

    def is_right(self, secret: str) -> bool:
        """Whether it knows the secret, found out in the same time whatever it says."""
        return hmac.compare_digest(self.secret.encode("utf-8", "replace"), secret.encode())


class Welcome(Struct, frozen=True, forbid_unknown_fields=True):
    """A box is open; what its Python has, and what its walls lack."""

    launcher: str
    python: str
    packages: str
    lacks: str | None


class Connection:
    """Parts over a pair of streams."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, kind: bytes, data: bytes = b"") -> None:
        """Send a part. Raises Severed."""
        try:
            self._writer.write(kind + len(data).to_bytes(4, "big") + data)
            await self._writer.drain()
        except (OSError, RuntimeError) as error:
            raise Severed(str(error)) from None

    async def receive(self) -> tuple[bytes, bytes]:
        """The next part. Raises Severed, also at the end."""
        try:
            head = await self._reader.readexactly(5)
            kind, length = head[:1], int.from_bytes(head[1:], "big")
            if kind not in KINDS or length > PART:
                raise Severed("a part that is none")
            return kind, await self._reader.readexactly(length)
        except (EOFError, OSError) as error:
            raise Severed(str(error) or "the connection ended") from None

    async def forward(self, source: asyncio.StreamReader) -> None:
        """Send what comes from a line until it ends. Raises Severed."""
        while data := await source.read(PART // 4):
            await self.send(LINE, data)

    async def close(self) -> None:
        """End it for both sides."""
        self._writer.close()
        try:
            await asyncio.wait_for(self._writer.wait_closed(), 2.0)
        except (OSError, TimeoutError):
            self._writer.transport.abort()
