"""A run's events as server-sent events, in a bare ASGI response.

The run does not depend on the connection: this reader may be slow, or leave, and nothing else notices.
"""

import asyncio
from collections.abc import Callable, Iterable

from starlette.types import Receive, Send

from runstead.http import errors
from runstead.http.api import Api, RunStream
from runstead.http.relay import REBUILT, Relay, StreamBroken
from runstead.ports import BusStopped
from runstead.wire.events import LAST_EVENTS, EventName, StreamEvent

KEEP_ALIVE = 15.0
"""Seconds of silence after which a comment is sent, which every reader skips."""
# One line, no blank one after it: that would end an event, and clients that remember the last id take an empty one
# for an event and fail to read it.
COMMENT = b": keep-alive\n"
DONE = b"event: done\ndata: [DONE]\n\n"

View = Callable[[EventName, bytes], tuple[EventName, bytes]]
"""How a version shows an event: its name and its data."""


def encode(events: Iterable[StreamEvent], view: View | None) -> bytes:
    """Frames as they travel. EXT: an event has an id, by which a reader may resume after it."""
    frames = []
    for event in events:
        name, data = (event.name, event.data) if view is None else view(event.name, event.data)
        place = b"" if event.seq == REBUILT else b"id: %d.%d\n" % (event.epoch, event.seq)
        frames.append(b"%sevent: %s\ndata: %s\n\n" % (place, name.encode(), data))
    return b"".join(frames)


async def respond(
    api: Api, stream: RunStream, view: View | None, headers: list[tuple[bytes, bytes]], receive: Receive, send: Send
) -> None:
    """Begin what is streamed and relay it to its end. What `begin` refuses is raised before anything is sent."""
    async with Relay(api, stream) as relay:
        # Listening first: no event of what begins now can be missed.
        relay.skip_to(await stream.begin())
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        sending = asyncio.create_task(_send_all(relay, view, send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not sending.done():
                sending.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
    if not sending.cancelled():
        sending.result()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_all(relay: Relay, view: View | None, send: Send) -> None:
    try:
        async for events in relay.batches(KEEP_ALIVE):
            is_last = bool(events) and events[-1].name in LAST_EVENTS
            body = encode(events, view) if events else COMMENT
            await send(
                {"type": "http.response.body", "body": body + DONE if is_last else body, "more_body": not is_last}
            )
    except BusStopped:
        await _break_off(send, "This server is stopping. The run goes on; retrieve it for its outcome.")
    except StreamBroken as broken:
        await _break_off(send, str(broken))


async def _break_off(send: Send, words: str) -> None:
    """API: a fault of the stream itself is an `error` event; the status stays 200."""
    data = errors.stream_error(errors.ErrorObject(message=words, type="server_error"))
    await send({"type": "http.response.body", "body": b"event: error\ndata: %s\n\n%s" % (data, DONE)})
