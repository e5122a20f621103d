"""Speaking HTTP to the server without an official client: what they would hide is what is tested here."""

import http.client
import io
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

from tests.acceptance.recording import record
from tests.acceptance.scripted import Json

PATIENCE = 20.0
"""Seconds an answer may take."""
ENDED = frozenset({"completed", "failed", "cancelled", "expired", "incomplete"})
RESTING = ENDED | {"requires_action"}


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Json:
        """The error in the answer, after a look at its shape: every refusal has the same, whatever layer it is from."""
        assert self.status >= 400, self
        assert self.headers.get("content-type") == "application/json", self
        assert self.headers.get("x-request-id", "").startswith("req_"), self
        assert list(self.json) == ["error"], self
        error: Json = self.json["error"]
        assert set(error) == {"message", "type", "param", "code"}, self
        assert isinstance(error["message"], str), self
        assert error["message"], self
        assert error["type"] == ("invalid_request_error" if self.status < 500 else "server_error"), self
        assert "Traceback" not in error["message"], self
        return error

    @property
    def message(self) -> str:
        return str(self.error["message"])


@dataclass(frozen=True)
class Api:
    """The API at an address, spoken to in JSON over a connection per request."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def with_headers(self, **headers: str) -> "Api":
        """The same with further headers; underscores stand for hyphens."""
        return Api(self.url, {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}})

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request below /v1 (or to a whole path that starts with two slashes); `body` is JSON or raw bytes."""
        connection = self._connect()
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        data = body
        if body is not None:
            sent.setdefault("content-type", "application/json")
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, self._path(path), data, sent)
            answer = read_answer(connection.getresponse())
            kind = answer.headers.get("content-type", "")
            record(method, self._path(path), sent, answer.status, kind, answer.body)
            return answer
        finally:
            connection.close()

    def get(self, path: str) -> Json:
        return self._done("GET", path)

    def post(self, path: str, body: Any = None) -> Json:
        return self._done("POST", path, body)

    def delete(self, path: str) -> Json:
        return self._done("DELETE", path)

    def _done(self, method: str, path: str, body: Any = None) -> Json:
        answer = self.send(method, path, body)
        assert answer.status == 200, answer
        found: Json = answer.json
        return found

    @contextmanager
    def stream(self, path: str, body: Any, **headers: str) -> Iterator["Stream"]:
        """POST with `stream`; the events as they come."""
        connection = self._connect()
        try:
            sent = {"content-type": "application/json", **self.headers, **headers}
            connection.request("POST", self._path(path), json.dumps({**body, "stream": True}).encode(), sent)
            stream = Stream(connection.getresponse())
            yield stream
            note("POST", self._path(path), sent, stream)
        finally:
            connection.close()

    def connect_and_send(self, method: str, path: str, body: Any) -> http.client.HTTPConnection:
        """Send a request and do not wait for its answer."""
        connection = self._connect()
        sent = {"content-type": "application/json", **self.headers}
        connection.request(method, self._path(path), json.dumps(body).encode(), sent)
        return connection

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(*address(self.url), timeout=PATIENCE)

    def _path(self, path: str) -> str:
        return path.removeprefix("/") if path.startswith("//") else f"/v1{path}"


def note(method: str, path: str, sent: Mapping[str, str], stream: "Stream") -> None:
    """Write down what was read of a stream."""
    frames = "".join(f"event: {event.name}\ndata: {event.data}\n\n" for event in stream.seen)
    record(method, path, sent, stream.status, stream.headers.get("content-type", ""), frames.encode())


@dataclass(frozen=True)
class Event:
    """One server-sent event."""

    id: str | None
    name: str
    data: str

    @property
    def json(self) -> Any:
        return json.loads(self.data)

    @property
    def place(self) -> tuple[int, int]:
        """Its id as numbers, which have an order."""
        assert self.id is not None
        epoch, _, seq = self.id.partition(".")
        return int(epoch), int(seq)


class Stream:
    """The events of a response. Fails on a frame that is not three lines, so every stream is a test of the framing."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.seen: list[Event] = []

    def __iter__(self) -> Iterator[Event]:
        frame: list[str] = []
        for line in self._response:
            text = line.decode().removesuffix("\n")
            if text:
                # A comment may come before an event, with no blank line of its own.
                if not text.startswith(":"):
                    frame.append(text)
                continue
            if not frame:
                continue
            event = _event(frame)
            frame = []
            self.seen.append(event)
            yield event
        assert frame == []

    def until(self, name: str) -> Event:
        """Read to the first event of this name."""
        for event in self:
            if event.name == name:
                return event
        raise AssertionError(f"no {name} in {[event.name for event in self.seen]}")

    def rest(self) -> list[Event]:
        """All that is still to come."""
        return list(self)


def _event(frame: list[str]) -> Event:
    fields: dict[str, str] = {}
    for line in frame:
        name, separator, value = line.partition(": ")
        assert separator, frame
        assert name not in fields, frame
        fields[name] = value
    assert set(fields) - {"id"} == {"event", "data"}, frame
    return Event(fields.get("id"), fields["event"], fields["data"])


class Raw:
    """A connection on which any bytes can be sent."""

    def __init__(self, url: str, *, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE)
        if receive_buffer is not None:
            # Before the connection is made, or the window is agreed on already.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect(address(url))
        self._reader = _Reader(self.socket.makefile("rb", buffering=0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_all_it_takes(self, data: bytes) -> bool:
        """Send until the other side wants no more; whether it took everything."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def read(self, method: str = "GET") -> Answer:
        """The next answer, to a request of that method."""
        response = http.client.HTTPResponse(_Shared(self._reader), method=method)  # type: ignore[arg-type]
        response.begin()
        return read_answer(response)

    def is_closed(self) -> bool:
        """Whether the server ended the connection; waits for it, or for something else to come."""
        try:
            return self._reader.read(1) == b""
        except ConnectionResetError:
            return True


class _Reader(io.BufferedReader):
    """Survives the response that was read from it: the next one follows."""

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class _Shared:
    reader: _Reader

    def makefile(self, mode: str) -> _Reader:
        return self.reader


def read_answer(response: http.client.HTTPResponse) -> Answer:
    """A response read to its end."""
    body = response.read()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


def address(url: str) -> tuple[str, int]:
    """Where a URL's server listens."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def request(method: bytes, target: bytes, body: bytes = b"", *headers: bytes) -> bytes:
    """A request as bytes; a body brings its length and its type unless a header says otherwise."""
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: localhost", *headers]
    names = {line.partition(b":")[0].lower() for line in headers}
    if body and b"content-type" not in names:
        lines.append(b"Content-Type: application/json")
    if body and not names & {b"content-length", b"transfer-encoding"}:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def resident(pid: int) -> int:
    """Bytes of memory a process holds."""
    with open(f"/proc/{pid}/status") as status:  # noqa: PTH123 - one line, and not a file on a disk
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no memory")
