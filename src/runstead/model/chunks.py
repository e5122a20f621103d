"""Bytes of an event stream to chunks. The loop in `feed` is the hottest of the product: one decode a chunk, no more.

What is rare (errors in the stream, odd fields, broken text) is looked for once per read, in the raw bytes.
"""

import structlog
from msgspec.json import Decoder

from runstead.model.odd_shapes import read_odd
from runstead.model.repair import UNREADABLE, repair_encoding, repair_escapes
from runstead.model.sse_lines import MAX_LINE, SseLines
from runstead.model.upstream_errors import UpstreamError, find_error, from_body
from runstead.wire.chat import ChatChunk

log = structlog.get_logger(__name__)

_BOM = b"\xef\xbb\xbf"
_BACKSLASH = ord("\\")
# Not strict: some servers send numbers as strings.
_decode = Decoder(ChatChunk, strict=False).decode


class ChunkStream:
    """One answer's stream. `done` after [DONE], `finished` once a finish_reason was seen."""

    def __init__(self) -> None:
        self.done = False
        self.finished = False
        self.malformed = 0
        self.understood = 0
        self.error: UpstreamError | None = None
        self._lines = SseLines()
        self._pending = b""
        self._event = b""

    def feed(self, data: bytes) -> list[ChatChunk]:
        """The chunks that are complete now. Stops at `done` or at an `error`, which is raised by the caller.

        Raises LineTooLong.
        """
        block = self._lines.feed(data)
        return self._read(block) if block else []

    def finish(self) -> list[ChatChunk]:
        """What the last line held, if the stream ended within it."""
        return self._read(self._lines.rest() + b"\n")

    def _read(self, block: bytes) -> list[ChatChunk]:
        chunks: list[ChatChunk] = []
        decode = _decode
        # A byte is found much faster than two, and `find` spares the detour on which `in` tries its operand as a number.
        odd = _BACKSLASH in block and block.find(b"\\u") >= 0
        odd = odd or block.find(b'"error"') >= 0 or self._event == b"error"
        for line in block.split(b"\n"):
            # JSON allows the blank after the colon and a carriage return at the end; cutting them off would copy.
            if not odd and line[:5] == b"data:" and not self._pending:
                try:
                    chunk = decode(line[5:])
                except UNREADABLE:
                    self._rescue(line[5:], chunks)
                    if self.done:
                        break
                else:
                    chunks.append(chunk)
                    # Some servers send an empty reason with every chunk.
                    if (choices := chunk.choices) and choices[0].finish_reason:
                        self.finished = True
            elif len(line) > 1 or self._pending:
                self._odd_line(line.rstrip(b"\r"), chunks)
                odd = odd or self._event == b"error"
                if self.done or self.error is not None:
                    break
        self.understood += len(chunks)
        return chunks

    def _odd_line(self, line: bytes, chunks: list[ChatChunk]) -> None:
        line = line.removeprefix(_BOM)
        name, _, value = line.partition(b":")
        if not line:
            self._give_up_pending()
            self._event = b""
        elif name == b"data":
            self._careful(value, chunks)
        elif name == b"event":
            self._event = value.strip()
        elif name == b"error":
            # llama.cpp's older servers name the field so.
            self.error = from_body(None, value)

    def _careful(self, payload: bytes, chunks: list[ChatChunk]) -> None:
        if self._event == b"error":
            self.error = from_body(None, payload)
            return
        if b'"error"' in payload and (error := find_error(payload)) is not None:
            self.error = error
            return
        pending, self._pending = self._pending, b""
        self._rescue(repair_escapes(payload), chunks)
        if pending and self._pending:
            # Neither is JSON by itself: one event over several data lines.
            self._pending = b""
            self._rescue(pending + b"\n" + payload, chunks)
        elif pending:
            self._count_malformed(len(pending))

    def _rescue(self, payload: bytes, chunks: list[ChatChunk]) -> None:
        """Decode what is not plain: the end mark, bad text, odd shapes, an event that goes on in its next data line."""
        if payload.strip() == b"[DONE]":
            self.done = True
            return
        chunk = _decode_odd(payload)
        if chunk is None:
            self._pending = payload
            if len(payload) > MAX_LINE:
                self._give_up_pending()
            return
        chunks.append(chunk)
        if chunk.choices and chunk.choices[0].finish_reason:
            self.finished = True

    def _give_up_pending(self) -> None:
        if self._pending:
            self._count_malformed(len(self._pending))
            self._pending = b""

    def _count_malformed(self, size: int) -> None:
        self.malformed += 1
        if self.malformed == 1:
            # Neither the text, which may be private, nor one line per chunk, which would flood.
            log.warning("a malformed chunk was skipped", bytes=size)


def _decode_odd(payload: bytes) -> ChatChunk | None:
    try:
        return _decode(payload)
    except UNREADABLE:
        repaired = repair_encoding(repair_escapes(payload))
    try:
        return _decode(repaired)
    except UNREADABLE:
        pass
    try:
        return read_odd(repaired, ChatChunk)
    except UNREADABLE:
        return None
