"""Reads a multipart form part by part, as it comes: nothing of a part is kept but what its reader takes.

Bounds: of the whole body, of the number of parts and of their heads. Whatever else is wrong with it is a refusal.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from msgspec import Struct
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from runstead.domain.errors import InvalidRequest
from runstead.http.errors import BodyTooLarge, SenderSilent, WrongContentType

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MOST_PARTS = 20
LONGEST_VALUE = 4_096
OVERHEAD = 64 * 1024
"""What a form may add to its contents."""
SILENCE = 60.0
"""Seconds without a byte after which nobody waits for the rest."""


# The standard for forms does without this way to write a name, which some clients use for what is not ASCII.
_ENCODED_NAME = re.compile(rb";\s*filename\*=utf-8''([^;\s]+)", re.IGNORECASE)


class BadForm(InvalidRequest):
    """What was sent cannot be read as a form."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"We could not parse the multipart form of your request: {reason}.")


class Part(Struct, frozen=True):
    """The head of a part: `filename` is None for a plain field."""

    name: str
    filename: str | None


class _PartEnd:
    """Between two parts."""


_Event = Part | bytes | _PartEnd


class Form:
    """The parts of one body, in the order in which they came; each has to be read, or is skipped."""

    def __init__(self, headers: Headers, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._left = limit + OVERHEAD
        announced = headers.get("content-length", "")
        # Longer than any true length, and longer than int() likes.
        if len(announced) > 18 or (announced.isdecimal() and int(announced) > self._left):
            raise BodyTooLarge(limit)
        self._parser = _parser(headers.get("content-type", ""), self)
        self._events: deque[_Event] = deque()
        self._head: dict[bytes, bytes] = {}
        self._field, self._value = bytearray(), bytearray()
        self._count = 0
        self._has_end = False
        self._is_whole = False

    async def parts(self) -> AsyncIterator[Part]:
        """Raises BadForm, BodyTooLarge, SenderSilent, ClientDisconnect."""
        while (event := await self._next()) is not None:
            if isinstance(event, Part):
                yield event
        if not self._has_end:
            raise BadForm("it ends before its last boundary")

    async def contents(self) -> AsyncIterator[bytes]:
        """The pieces of the part that `parts` named last. Raises as it does, and BodyTooLarge for too many of them."""
        length = 0
        while (event := await self._next()) is not None:
            if isinstance(event, _PartEnd):
                return
            if isinstance(event, bytes):
                length += len(event)
                if length > self._limit:
                    raise BodyTooLarge(self._limit)
                yield event
        raise BadForm("it ends before its last boundary")

    async def text(self, name: str) -> str:
        """A plain field's value."""
        value = bytearray()
        async for piece in self.contents():
            value += piece
            if len(value) > LONGEST_VALUE:
                raise BadForm(f"its field '{name}' is longer than {LONGEST_VALUE} bytes")
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise BadForm(f"its field '{name}' is not valid UTF-8") from None

    async def skip_rest(self) -> None:
        """Read what is left, within the bounds, so that a client that still sends hears why it was refused."""
        while not self._is_whole:
            self._events.clear()
            await self._read(None)

    async def _next(self) -> _Event | None:
        while not self._events:
            if self._is_whole:
                return None
            await self._read(self._parser)
        return self._events.popleft()

    async def _read(self, parser: MultipartParser | None) -> None:
        try:
            async with asyncio.timeout(SILENCE):
                message = await self._receive()
        except TimeoutError:
            raise SenderSilent(SILENCE) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece = message.get("body", b"")
        self._is_whole = not message.get("more_body", False)
        self._left -= len(piece)
        if self._left < 0:
            raise BodyTooLarge(self._limit)
        if parser is not None and not self._has_end:
            try:
                parser.write(piece)
            except FormParserError:
                raise BadForm("its boundaries or the heads of its parts are damaged") from None

    # What the parser tells, in the order of its documentation.

    def on_part_begin(self) -> None:
        self._head = {}
        self._count += 1
        if self._count > MOST_PARTS:
            raise BadForm(f"it has more than {MOST_PARTS} parts")

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self._head[bytes(self._field).lower()] = bytes(self._value)
        self._field, self._value = bytearray(), bytearray()

    def on_headers_finished(self) -> None:
        self._events.append(_part(self._head.get(b"content-disposition", b"")))

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(data[start:end])

    def on_part_end(self) -> None:
        self._events.append(_PartEnd())

    def on_end(self) -> None:
        self._has_end = True


def _parser(content_type: str, form: Form) -> MultipartParser:
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data":
        raise WrongContentType(content_type, "multipart/form-data")
    if not boundary:
        raise BadForm("its Content-Type names no boundary")
    names = ("part_begin", "part_data", "part_end", "header_field", "header_value", "header_end", "headers_finished")
    callbacks: MultipartCallbacks = {}
    for name in (*names, "end"):
        callbacks[f"on_{name}"] = getattr(form, f"on_{name}")  # type: ignore[literal-required] # all of them are
    try:
        return MultipartParser(boundary, callbacks)
    except FormParserError:
        raise BadForm("its boundary is too long") from None


def _part(disposition: bytes) -> Part:
    kind, options = parse_options_header(disposition)
    name = options.get(b"name")
    if kind != b"form-data" or name is None:
        raise BadForm("a part of it has no name")
    filename = options.get(b"filename")
    if (encoded := _ENCODED_NAME.search(disposition)) is not None:
        filename = unquote_to_bytes(encoded[1])
    return Part(_text(name), None if filename is None else _text(filename))


def _text(words: bytes) -> str:
    """API: names are UTF-8. Clients that write anything else meant their own page of Latin letters."""
    try:
        return words.decode()
    except UnicodeDecodeError:
        return words.decode("latin-1")
