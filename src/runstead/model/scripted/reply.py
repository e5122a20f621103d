"""Sending a turn: the waits, and the ways in which a connection ends."""

import asyncio
import socket
import struct
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from runstead.model.scripted.scripts import Received
from runstead.model.scripted.shapes import completion, frames
from runstead.model.scripted.turns import Turn

DONE = b"data: [DONE]\n\n"


async def reply(http: web.Request, turn: Turn, body: dict[str, Any], received: Received) -> web.StreamResponse:
    """Answer a call with a turn. Cancelled when the client goes away, which is how an abort is noticed."""
    if turn.hold_before == "headers":
        await received.hold()
    if turn.status != 200:
        return web.json_response(turn.body, status=turn.status, headers=turn.headers)
    if turn.whole or (not body.get("stream") and turn.raw is None and turn.chunks is None):
        return web.json_response(completion(turn, body, received.number), headers=turn.headers)
    response = await _open(http, turn)
    for place, frame in enumerate(frames(turn, body, received.number)):
        if place and turn.delay_ms:
            await asyncio.sleep(turn.delay_ms / 1000)
        if turn.hold_before == place:
            await received.hold()
        await response.write(frame)
    return await _end(http, response, turn)


async def write_all(http: web.Request, pieces: Sequence[bytes], gap: float) -> web.StreamResponse:
    """Write prebuilt pieces, each on its own, with a pause between them."""
    response = await _open(http, Turn())
    for place, piece in enumerate(pieces):
        if place:
            await asyncio.sleep(gap)
        await response.write(piece)
    await response.write_eof()
    return response


async def _open(http: web.Request, turn: Turn) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": turn.content_type, **turn.headers})
    response.enable_chunked_encoding()
    await response.prepare(http)
    return response


async def _end(http: web.Request, response: web.StreamResponse, turn: Turn) -> web.StreamResponse:
    match turn.then:
        case "done" | "end":
            if turn.then == "done" and turn.raw is None:
                await response.write(DONE)
            await response.write_eof()
        case "hang":
            await asyncio.Event().wait()
        case "close":
            _transport(http).close()
        case "reset":
            transport = _transport(http)
            # Linger of zero seconds: the kernel sends a reset instead of a proper end.
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
    return response


def _transport(http: web.Request) -> asyncio.Transport:
    if http.transport is None:
        raise ConnectionResetError("the client left first")
    return http.transport
