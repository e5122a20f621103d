"""The API spoken in one of its versions; every object in an answer, or in an event, is judged by its table."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from msgspec import Struct

from runstead.conformance.evidence import Evidence
from runstead.conformance.kinds import Json, shape
from runstead.conformance.shapes import ERROR, Wire

PATIENCE = 30.0
"""Seconds without a byte after which a server is held to be hanging."""


class Unmet(Exception):
    """A fact of the API that the server does not honour; the message says what it did instead."""


class Lacking(Exception):
    """Something that the server says it does not have where it runs; the message is its own."""


class Event(Struct, frozen=True):
    """One server-sent event."""

    name: str
    data: str

    @property
    def json(self) -> Json:
        found: Json = json.loads(self.data)
        return found


class Answer(Struct, frozen=True):
    """A whole answer."""

    status: int
    headers: dict[str, str]
    body: bytes
    asked: str

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            raise Unmet(f"{self.asked} answered {self.status} with what is not JSON: {self.body[:80]!r}") from None


class Api:
    """One version of the API at an address."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, wire: Wire, evidence: Evidence) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self.wire = wire
        self._evidence = evidence

    async def send(self, method: str, path: str, body: Any = None, **headers: str | None) -> Answer:
        """Any request; a body is JSON, or bytes as they are. A header of None is not sent. The answer is not judged."""
        try:
            async with self._request(method, path, body, headers) as response:
                return Answer(response.status, _lower(response), await response.read(), f"{method} {path}")
        except TimeoutError:
            raise Unmet(f"{method} {path} was not answered within {PATIENCE:g} seconds") from None
        except aiohttp.ClientError as error:
            raise Unmet(f"{method} {path} was not answered: {error}") from None

    async def ask(self, method: str, path: str, body: Any = None) -> Json:
        """A request that has to succeed, and the object that it answers with."""
        answer = await self.send(method, path, body)
        if answer.status != 200:
            raise Unmet(f"{answer.asked} answered {answer.status}: {_message(answer)}")
        found = answer.json
        if not isinstance(found, dict):
            raise Unmet(f"{answer.asked} answered no JSON object: {answer.body[:80]!r}")
        self._judge(answer.asked, found)
        self._evidence.answered(method, path)
        return found

    async def get(self, path: str) -> Json:
        return await self.ask("GET", path)

    async def download(self, path: str) -> bytes:
        """The bytes of a file."""
        answer = await self.send("GET", path)
        if answer.status != 200:
            raise Unmet(f"{answer.asked} answered {answer.status}: {_message(answer)}")
        self._evidence.answered("GET", path)
        return answer.body

    async def post(self, path: str, body: Any = None) -> Json:
        return await self.ask("POST", path, body)

    async def delete(self, path: str) -> Json:
        return await self.ask("DELETE", path)

    async def refused(
        self, status: int, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
    ) -> Json:
        """A request that has to be refused with this status and the API's body; the error in it."""
        answer = await self.send(method, path, body, **(headers or {}))
        if answer.status != status:
            raise Unmet(f"{answer.asked} answered {answer.status} instead of {status}")
        found = answer.json
        error = found.get("error") if isinstance(found, dict) else None
        faults = [f"error{fault}" for fault in shape(ERROR)(error)]
        if faults:
            raise Unmet(f"{answer.asked} was refused, and {faults[0]}")
        assert isinstance(error, dict)
        self._evidence.refusals.add((status, f"{method} {error.get('code')} {error.get('param')}"))
        return error

    @asynccontextmanager
    async def stream(self, path: str, body: Json) -> AsyncIterator[AsyncIterator[Event]]:
        """The events of a run as they come. Leaving the block closes the connection."""
        asked = f"POST {path}"
        try:
            async with self._request("POST", path, {**body, "stream": True}, {}) as response:
                if response.status != 200:
                    answer = Answer(response.status, _lower(response), await response.read(), asked)
                    raise Unmet(f"{asked} answered {response.status}: {_message(answer)}")
                kind = response.headers.get("content-type", "")
                if not kind.startswith("text/event-stream"):
                    raise Unmet(f"{asked} with stream answered {kind or 'no content type'}, not text/event-stream")
                self._evidence.answered("POST", path)
                yield self._events(asked, response)
        except TimeoutError:
            raise Unmet(f"the stream of {asked} was silent for {PATIENCE:g} seconds") from None
        except aiohttp.ClientError as error:
            raise Unmet(f"the stream of {asked} broke: {error}") from None

    async def events(self, path: str, body: Json) -> list[Event]:
        """Every event of a stream."""
        async with self.stream(path, body) as stream:
            return [event async for event in stream]

    async def _events(self, asked: str, response: aiohttp.ClientResponse) -> AsyncIterator[Event]:
        fields: dict[str, str] = {}
        async for raw in response.content:
            line = raw.decode().rstrip("\r\n")
            if line and not line.startswith(":"):
                name, _, value = line.partition(":")
                # Several data lines are one text, as the format has it.
                before = fields.get(name)
                value = value.removeprefix(" ")
                fields[name] = value if before is None or name != "data" else f"{before}\n{value}"
            elif not line and fields:
                yield self._event(asked, fields)
                fields = {}
        if fields:
            raise Unmet(f"the stream of {asked} ended in the middle of an event: {fields}")

    def _event(self, asked: str, fields: dict[str, str]) -> Event:
        if "event" not in fields or "data" not in fields:
            raise Unmet(f"an event of {asked} lacks its name or its data: {fields}")
        event = Event(fields["event"], fields["data"])
        if event.data != "[DONE]":
            try:
                found = event.json
            except ValueError:
                raise Unmet(f"the data of {event.name} is not JSON: {event.data[:80]!r}") from None
            self._judge(event.name, found)
        self._evidence.events.add((self.wire, event.name))
        return event

    def _judge(self, where: str, found: Json) -> None:
        faults = self._evidence.judge(self.wire, found)
        if faults:
            more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
            raise Unmet(f"{where}: {faults[0]}{more}")

    def _request(self, method: str, path: str, body: Any, headers: Mapping[str, str | None]) -> Any:
        chosen = {"OpenAI-Beta": f"assistants={self.wire}", **headers}
        sent = {name: value for name, value in chosen.items() if value is not None}
        data: Any = body
        if body is not None and not isinstance(body, bytes | aiohttp.FormData):
            sent.setdefault("Content-Type", "application/json")
            data = json.dumps(body).encode()
        return self._session.request(method, f"{self._base_url}{path}", data=data, headers=sent, allow_redirects=False)


def open_session(api_key: str) -> aiohttp.ClientSession:
    """A session for all requests: as patient as a run's stream needs, and no more."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=PATIENCE, sock_read=PATIENCE)
    return aiohttp.ClientSession(
        timeout=timeout, headers={"Authorization": f"Bearer {api_key}"}, trust_env=True, read_bufsize=2**20
    )


def _lower(response: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _message(answer: Answer) -> str:
    try:
        return str(json.loads(answer.body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return answer.body[:120].decode(errors="replace")
