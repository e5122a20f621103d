"""One HTTP connection: what is not HTTP is refused in the API's shape, and a request's head has an end."""

import secrets
from typing import cast

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from runstead.domain.errors import InvalidRequest
from runstead.http import errors
from runstead.http.application import VERSION_HEADERS

log = structlog.get_logger("runstead.access")

LINGER = 0.5
"""Seconds that a connection without a request stays open when the server stops: one may be on its way."""
MAX_HEAD = 64 * 1024
"""Bytes that may come without a request's head, a piece of its body or its end being complete."""


class Connection(HttpToolsProtocol):
    """uvicorn's, which answers a parser's error in plain text and reads a head for as long as it goes on."""

    _bytes_pending = 0
    _is_leaving = False

    def data_received(self, data: bytes) -> None:
        self._bytes_pending += len(data)
        super().data_received(data)
        if self._bytes_pending > MAX_HEAD and not self.transport.is_closing():
            self.send_400_response(f"The head of your request is too large: at most {MAX_HEAD} bytes are accepted.")

    def on_headers_complete(self) -> None:
        self._bytes_pending = 0
        super().on_headers_complete()
        if self._is_leaving:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._bytes_pending = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._bytes_pending = 0
        super().on_message_complete()

    def shutdown(self) -> None:
        # uvicorn closes at once what is idle, under requests that were sent at the same moment. Whoever asks now is
        # answered, and told that this was the last answer here.
        self._is_leaving = True
        if self._is_idle():
            self.loop.call_later(LINGER, self._leave)
        else:
            self.cycle.keep_alive = False

    def _leave(self) -> None:
        if self._is_idle():
            self.transport.close()

    def _is_idle(self) -> bool:
        # None before the first request, whatever its declared type says.
        cycle = cast(RequestResponseCycle | None, self.cycle)
        return cycle is None or cycle.response_complete

    def send_400_response(self, msg: str) -> None:
        # None before the first request, whatever its declared type says.
        cycle = cast(RequestResponseCycle | None, self.cycle)
        if cycle is not None and cycle.response_complete:
            cycle = None
        if cycle is not None and (cycle.response_started or not cycle.more_body):
            # The request before it was a good one: its answer is still sent, and is the last.
            cycle.keep_alive = False
            self.flow.pause_reading()
            return
        request_id = f"req_{secrets.token_hex(16)}"
        answer = errors.answer(InvalidRequest(msg), request_id)
        lines = [
            *(b"%s: %s" % header for header in (*self.server_state.default_headers, *VERSION_HEADERS)),
            *(f"{name}: {value}".encode() for name, value in answer.headers.items()),
            b"content-length: %d" % len(answer.body),
            b"connection: close",
            b"x-request-id: " + request_id.encode(),
        ]
        self.transport.write(STATUS_LINE[answer.status] + b"\r\n".join(lines) + b"\r\n\r\n" + answer.body)
        self.transport.close()
        if cycle is not None:
            # Who still waits for its body is told that no more comes.
            cycle.disconnected = True
            cycle.message_event.set()
        log.info("request", request_id=request_id, status=answer.status, reason=msg)
