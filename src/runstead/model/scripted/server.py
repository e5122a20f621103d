"""The scripted server: the chat-completions routes, and beside them the routes by which tests direct it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web

from runstead.model.scripted.prompt_rules import violation
from runstead.model.scripted.reply import reply, write_all
from runstead.model.scripted.scripts import Received, Scripts
from runstead.model.scripted.shapes import CREATED
from runstead.model.scripted.turns import Script
from runstead.model.scripted.unscripted import benchmark, unscripted

SCRIPTS = web.AppKey("scripts", Scripts)
MAX_BODY = 64 * 1024 * 1024


@asynccontextmanager
async def serve(host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve while the block lasts; yields the base URL, which ends in /v1."""
    runner = web.AppRunner(build(), handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=4096)
        await site.start()
        taken = runner.addresses[0][1]
        yield f"http://{host}:{taken}/v1"
    finally:
        await runner.cleanup()


def build() -> web.Application:
    app = web.Application(client_max_size=MAX_BODY)
    app[SCRIPTS] = Scripts()
    app.add_routes(
        [
            web.post("/v1/chat/completions", complete),
            web.get("/v1/models", models),
            web.put("/scripts/{model}", put_script),
            web.get("/scripts/{model}/requests", requests),
            web.post("/scripts/{model}/release", release),
            web.get("/scripts/{model}/wait", wait),
        ]
    )
    return app


async def complete(http: web.Request) -> web.StreamResponse:
    """A chat completion, as the model's script has it."""
    try:
        body = msgspec.json.decode(await http.read(), type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return _refusal(f"We could not parse the JSON body of your request: {error}")
    model = body.get("model")
    pieces = benchmark(model) if isinstance(model, str) else None
    if pieces is not None:
        # Neither judged nor recorded: the upstream of a benchmark has to be cheap.
        try:
            return await write_all(http, *pieces)
        except ConnectionError:
            return _client_left()
    scripts = http.app[SCRIPTS]
    scripted = scripts.get(str(model))
    received = Received(scripted, scripts.next_number(), body, dict(http.headers))
    scripted.received.append(received)
    await scripted.count("requests")
    try:
        return await _answer(http, received)
    except asyncio.CancelledError:
        await received.abort()
        raise
    except ConnectionError:
        await received.abort()
        return _client_left()
    finally:
        await scripted.count("ended")


async def _answer(http: web.Request, received: Received) -> web.StreamResponse:
    body = received.body
    scripted = http.app[SCRIPTS].get(str(body.get("model")))
    received.refused = violation(body)
    if received.refused is not None:
        return _refusal(received.refused, "messages")
    for field in scripted.script.refuse:
        if field in body:
            received.refused = f"Unsupported parameter: '{field}' is not supported with this model."
            return _refusal(received.refused, field, "unsupported_parameter")
    if not scripted.script.turns:
        return await reply(http, unscripted(body), body, received)
    turn = scripted.next_turn()
    if turn is None:
        said = f"The script of '{body['model']}' has no turn left: it has {len(scripted.script.turns)}."
        return web.json_response({"error": {"message": said, "type": "server_error", "code": None}}, status=500)
    return await reply(http, turn, body, received)


async def models(http: web.Request) -> web.Response:
    """The scripted models, and one that anybody may name."""
    base = {"object": "model", "created": CREATED, "owned_by": "runstead"}
    cards = [{"id": "scripted", **base}]
    for name, scripted in http.app[SCRIPTS].by_model.items():
        cards.append({"id": name, **base, **scripted.script.card})
    return web.json_response({"object": "list", "data": cards})


async def put_script(http: web.Request) -> web.Response:
    """Write what successive calls of a model are answered with; forgets what was received before."""
    try:
        script = msgspec.json.decode(await http.read(), type=Script)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return _refusal(f"This is no script: {error}")
    http.app[SCRIPTS].put(http.match_info["model"], script)
    return web.json_response({"turns": len(script.turns)})


async def requests(http: web.Request) -> web.Response:
    """What came for a model, oldest first."""
    scripted = http.app[SCRIPTS].find(http.match_info["model"])
    received = scripted.received if scripted else ()
    return web.json_response([call.shown() for call in received])


async def release(http: web.Request) -> web.Response:
    """Let `n` holds go on, those to come included."""
    scripted = http.app[SCRIPTS].get(http.match_info["model"])
    for _ in range(int(http.query.get("n", "1"))):
        scripted.releases.release()
    return web.json_response(scripted.counts)


async def wait(http: web.Request) -> web.Response:
    """Answer once `requests`, `aborted`, `held` and `ended` are reached; 504 after `timeout` seconds."""
    scripted = http.app[SCRIPTS].get(http.match_info["model"])
    wanted = {name: int(http.query[name]) for name in scripted.counts if name in http.query}
    reached = await scripted.wait(wanted, float(http.query.get("timeout", "10")))
    return web.json_response(scripted.counts, status=200 if reached else 504)


def _client_left() -> web.Response:
    # Nobody reads it; raised instead, it would be logged as a fault of this server.
    return web.Response(status=499)


def _refusal(message: str, param: str | None = None, code: str | None = None) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return web.json_response({"error": error}, status=400)
