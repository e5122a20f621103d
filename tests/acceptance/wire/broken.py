"""A server with one fault: it passes everything on to the real one and changes what comes back."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

HOP_BY_HOP = {"transfer-encoding", "content-length", "connection", "date", "server"}


class Reply:
    """An answer on its way to the client, for a fault to change; its body as JSON, or as bytes if it is none."""

    def __init__(self, method: str, path: str, wire: str, status: int, headers: dict[str, str], body: Any) -> None:
        self.method = method
        self.path = path
        self.wire = wire
        self.status = status
        self.headers = headers
        self.body = body

    def objects(self, name: str) -> list[dict[str, Any]]:
        """Every object of a kind in the answer, alone or in a list."""
        found = [self.body, *self.body.get("data", [])] if isinstance(self.body, dict) else []
        return [each for each in found if isinstance(each, dict) and each.get("object") == name]


class Fault:
    """What a broken server does otherwise. By default nothing."""

    def request(self, body: bytes) -> bytes:
        """What the server is asked in place of a body."""
        return body

    def reply(self, reply: Reply) -> None:
        """Change an answer in place."""

    def events(self, name: str, data: str) -> list[tuple[str, str]]:
        """What is sent in place of an event."""
        return [(name, data)]


class Misread(Fault):
    """Overlooks a part of what it is asked."""

    def __init__(self, part: str) -> None:
        self._part = part

    def request(self, body: bytes) -> bytes:
        return json.dumps(self._without(json.loads(body))).encode() if body.startswith(b"{") else body

    def _without(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._without(each) for each in value]
        if isinstance(value, dict):
            return {name: self._without(each) for name, each in value.items() if name != self._part}
        return value


class WrongReply(Fault):
    def __init__(self, change: Callable[[Reply], None]) -> None:
        self._change = change

    def reply(self, reply: Reply) -> None:
        self._change(reply)


class WrongEvents(Fault):
    def __init__(self, change: Callable[[str, str], list[tuple[str, str]]]) -> None:
        self._change = change

    def events(self, name: str, data: str) -> list[tuple[str, str]]:
        return self._change(name, data)


def in_objects(name: str, change: Callable[[dict[str, Any]], object], *, wire: str | None = None) -> Fault:
    """Every object of a kind is changed before it is shown."""

    def fault(reply: Reply) -> None:
        if wire in (None, reply.wire):
            for shown in reply.objects(name):
                change(shown)

    return WrongReply(fault)


def on(condition: Callable[[Reply], bool], change: Callable[[Reply], object]) -> Fault:
    """Some answers are changed."""

    def fault(reply: Reply) -> None:
        if condition(reply):
            change(reply)

    return WrongReply(fault)


def without(*names: str) -> Fault:
    """Some events do not come."""
    return WrongEvents(lambda name, data: [] if name in names else [(name, data)])


@asynccontextmanager
async def broken(url: str, fault: Fault) -> AsyncIterator[str]:
    """The base URL of the real server at `url`, seen through a fault."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        app = web.Application(client_max_size=2**25)

        async def forward(request: web.Request) -> web.StreamResponse:
            return await _forward(session, url.removesuffix("/v1"), fault, request)

        app.router.add_route("*", "/{path:.*}", forward)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        finally:
            await runner.cleanup()


async def _forward(session: aiohttp.ClientSession, base: str, fault: Fault, request: web.Request) -> web.StreamResponse:
    headers = {name: value for name, value in request.headers.items() if name.lower() not in {"host", "content-length"}}
    body = fault.request(await request.read())
    async with session.request(request.method, f"{base}{request.raw_path}", data=body, headers=headers) as answer:
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
        if answer.content_type == "text/event-stream":
            return await _stream(fault, request, answer, kept)
        raw = await answer.read()
        wire = "v1" if "v1" in request.headers.get("OpenAI-Beta", "") else "v2"
        is_json = answer.content_type == "application/json"
        parsed = raw if not is_json else json.loads(raw) if raw else None
        reply = Reply(request.method, request.path, wire, answer.status, kept, parsed)
        fault.reply(reply)
        shown = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        return web.Response(status=reply.status, headers=reply.headers, body=shown)


async def _stream(
    fault: Fault, request: web.Request, answer: aiohttp.ClientResponse, headers: dict[str, str]
) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=headers)
    await response.prepare(request)
    fields: dict[str, str] = {}
    async for raw in answer.content:
        name, _, value = raw.decode().rstrip("\n").partition(": ")
        if name:
            fields[name] = value
            continue
        for event, data in fault.events(fields.get("event", ""), fields.get("data", "")):
            await response.write(f"event: {event}\ndata: {data}\n\n".encode())
        fields = {}
    return response
