"""An answer that is being received, whether it comes as an event stream or, though a stream was asked for, as JSON."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientError,
    ClientHttpProxyError,
    ClientOSError,
    ClientResponse,
    ConnectionTimeoutError,
)
from msgspec import Struct
from msgspec.json import Decoder

from runstead.model.chunks import ChunkStream
from runstead.model.odd_shapes import read_odd
from runstead.model.repair import UNREADABLE, repair_encoding, repair_escapes
from runstead.model.sse_lines import LineTooLong
from runstead.model.upstream_errors import Failure, UpstreamError, find_error, from_body
from runstead.wire.chat import ChatChunk, ChunkChoice, ChunkDelta, ChunkUsage

GRACE = 5.0
"""Seconds that a server is given for its usage and end mark once it has said why it finished."""
MAX_BODY = 64 * 1024 * 1024
"""Bytes of a completion that comes in one piece."""


class Answer:
    """Reads one response. `close` ends the connection at once, unless the answer was read to its end."""

    def __init__(self, response: ClientResponse) -> None:
        self._response = response
        self._stream = ChunkStream()
        self._at_start = True
        self._ended = False

    async def begin(self) -> list[ChatChunk] | None:
        """The first chunks that say something, or None if none does. Raises UpstreamError.

        Until then nobody heard a word, so the call can be repeated. A role or hidden thoughts are dropped; of the
        counts that came with them the newest is kept.
        """
        quiet: list[ChatChunk] = []
        while (chunks := await self.next()) is not None:
            if any(map(_says_something, chunks)):
                return quiet + chunks
            quiet = [chunk for chunk in quiet + chunks if chunk.usage is not None][-1:]
        return quiet or None

    async def next(self) -> list[ChatChunk] | None:
        """The chunks of the next read that held any, or None after the last. Raises UpstreamError."""
        stream = self._stream
        if stream.error is not None:
            raise stream.error
        while not self._ended:
            try:
                chunks = await self._read()
            except LineTooLong:
                raise UpstreamError("it sent a line of more than 8 MiB", failure=Failure.NO_COMPLETION) from None
            if chunks:
                return chunks
            if stream.error is not None:
                raise stream.error
        return None

    @property
    def at_end(self) -> bool:
        """Whether the connection can be used again."""
        return self._response.content.at_eof() or self._response.connection is None

    def close(self) -> None:
        self._response.close()

    async def drain(self) -> None:
        """Read the few bytes after the end mark, so that the connection can be used again."""
        try:
            with suppress(ClientError, TimeoutError):
                async with asyncio.timeout(1):
                    await self._response.content.readany()
        finally:
            # Also when the adapter closes meanwhile: a connection that nobody lets go of is never closed.
            if self.at_end:
                self._response.release()
            else:
                self.close()

    async def _read(self) -> list[ChatChunk]:
        stream = self._stream
        try:
            with translated():
                data = await (self._read_tail() if stream.finished else self._response.content.readany())
        except UpstreamError:
            # All that mattered was said; only usage or the end mark is lost.
            if not stream.finished:
                raise
            data = b""
        if self._at_start and data.lstrip()[:1] == b"{":
            # No line of an event stream begins so. Content types are less reliable.
            self._ended = True
            return [await self._whole(data)]
        self._at_start = False
        if data:
            chunks = stream.feed(data)
            self._ended = stream.done
        else:
            chunks = stream.finish()
            self._ended = True
        if self._ended and stream.error is None:
            self._judge_end()
        return chunks

    async def _read_tail(self) -> bytes:
        try:
            async with asyncio.timeout(GRACE):
                return await self._response.content.readany()
        except TimeoutError:
            return b""

    def _judge_end(self) -> None:
        stream = self._stream
        if stream.malformed and not stream.understood:
            stream.error = UpstreamError("none of its chunks could be read", failure=Failure.NO_COMPLETION)
        elif not stream.done and not stream.finished:
            html = self._response.content_type == "text/html"
            stream.error = UpstreamError(
                "it sent a web page" if html else "", failure=Failure.NO_COMPLETION if html else Failure.CUT
            )

    async def _whole(self, begun: bytes) -> ChatChunk:
        with translated():
            rest = await read_bounded(self._response, MAX_BODY)
        body = repair_escapes(repair_encoding(begun + rest))
        try:
            completion = _decode_whole(body)
        except UNREADABLE:
            raise UpstreamError("its answer is no completion", failure=Failure.NO_COMPLETION) from None
        if (error := find_error(body)) is not None:
            raise error
        if not completion.choices:
            raise from_body(None, body)
        choices = [ChunkChoice(choice.message, choice.finish_reason or "stop") for choice in completion.choices]
        return ChatChunk(choices=choices, usage=completion.usage)


class _Choice(Struct, frozen=True):
    message: ChunkDelta | None = None
    finish_reason: str | None = None


class _Completion(Struct, frozen=True):
    """A whole completion; its message has the fields of a delta."""

    choices: list[_Choice] | None = None
    usage: ChunkUsage | None = None


def _decode_whole(body: bytes) -> _Completion:
    try:
        return Decoder(_Completion, strict=False).decode(body)
    except UNREADABLE:
        return read_odd(body, _Completion)


def _says_something(chunk: ChatChunk) -> bool:
    if not chunk.choices:
        return False
    choice = chunk.choices[0]
    delta = choice.delta
    said = delta is not None and (delta.content or delta.refusal or delta.tool_calls)
    return bool(said or choice.finish_reason)


async def read_bounded(response: ClientResponse, limit: int) -> bytes:
    """A body up to `limit` bytes; what is beyond is not read."""
    parts: list[bytes] = []
    size = 0
    while size < limit and (data := await response.content.readany()):
        parts.append(data)
        size += len(data)
    return b"".join(parts)[:limit]


@contextmanager
def translated() -> Iterator[None]:
    """Raise the network's errors as UpstreamError; no message carries an address or a header."""
    try:
        yield
    except ClientConnectorCertificateError as error:
        reason = getattr(error.certificate_error, "verify_message", "") or "verification failed"
        raise UpstreamError(str(reason), failure=Failure.UNTRUSTED) from error
    except ClientHttpProxyError as error:
        raise UpstreamError(f"the proxy answered {error.status}", failure=Failure.UNREACHABLE) from error
    except ConnectionTimeoutError as error:
        raise UpstreamError("connecting took too long", failure=Failure.UNREACHABLE) from error
    except TimeoutError as error:
        raise UpstreamError("", failure=Failure.SILENT) from error
    except ClientConnectorError as error:
        raise UpstreamError(error.os_error.strerror or "no connection", failure=Failure.UNREACHABLE) from error
    except (ClientOSError, OSError) as error:
        raise UpstreamError(error.strerror or "", failure=Failure.CUT) from error
    except ClientError as error:
        raise UpstreamError("", failure=Failure.CUT) from error
