"""Sends a file's contents, whole or the range that was asked for."""

import asyncio
import re
from collections.abc import AsyncIterator
from urllib.parse import quote

import structlog
from msgspec import Struct
from starlette.types import Receive, Scope, Send

from runstead.domain.errors import Unavailable
from runstead.http.errors import RangeNotSatisfiable
from runstead.wire.files import File

log = structlog.get_logger(__name__)

# One range only: a list of them may be answered with the whole, and is.
_RANGE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", re.ASCII)


class Span(Struct, frozen=True):
    """Bytes from `start` until before `end`, of `length` in all."""

    start: int
    end: int
    length: int

    @property
    def is_whole(self) -> bool:
        return self.end - self.start == self.length


class Contents(Struct, frozen=True):
    """An answer that is a file's bytes."""

    file: File
    span: Span
    pieces: AsyncIterator[bytes]


def span_of(header: str | None, length: int) -> Span:
    """What a Range header asks for; all if it cannot be read. Raises RangeNotSatisfiable."""
    whole = Span(0, length, length)
    found = _RANGE.fullmatch(header or "")
    if found is None or found[0].strip().endswith("=-"):
        return whole
    first, last = found[1], found[2]
    if not first:
        start, end = max(0, length - int(last)), length
    else:
        start, end = int(first), min(length, int(last) + 1) if last else length
        if last and int(last) < start:
            return whole
    if start >= end:
        raise RangeNotSatisfiable(length)
    return Span(start, end, length)


async def respond(contents: Contents, scope: Scope, receive: Receive, send: Send) -> None:
    """The answer; a storage that fails in the middle ends the connection, which is how a client knows."""
    span, file = contents.span, contents.file
    headers = [
        (b"content-type", b"application/octet-stream"),
        (b"content-length", b"%d" % (span.end - span.start)),
        (b"accept-ranges", b"bytes"),
        (b"etag", f'"{file.id}"'.encode()),
        # What was uploaded is nobody's web page.
        (b"content-disposition", f"attachment; filename*=utf-8''{quote(file.filename, safe='')}".encode()),
        (b"x-content-type-options", b"nosniff"),
    ]
    if not span.is_whole:
        headers.append((b"content-range", f"bytes {span.start}-{span.end - 1}/{span.length}".encode()))
    await send({"type": "http.response.start", "status": 200 if span.is_whole else 206, "headers": headers})
    if scope["method"] != "HEAD":
        gone = asyncio.create_task(_until_gone(receive))
        try:
            async for piece in contents.pieces:
                if gone.done():
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except Unavailable as error:
            log.warning("contents broke off", file_id=file.id, reason=str(error))
            return
        finally:
            gone.cancel()
    await send({"type": "http.response.body", "body": b""})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
