"""A run's events as server-sent events, in a bare ASGI response.

The run does not depend on the connection: this reader may be slow, or leave, and nothing else notices.
"""

import asyncio
from collections.abc import Callable, Iterable

import structlog
from starlette.types import Receive, Send

from runstead.domain.errors import Unavailable
from runstead.http import errors
from runstead.http.api import Api, RunStream
from runstead.ports import BusStopped, EventsLost, Tail
from runstead.wire.events import LAST_EVENTS, EventName, StreamEvent

KEEP_ALIVE = 15.0
"""Seconds of silence after which a comment is sent, which every reader skips."""
COMMENT = b": keep-alive\n\n"
DONE = b"event: done\ndata: [DONE]\n\n"

View = Callable[[EventName, bytes], tuple[EventName, bytes]]
"""How a version shows an event: its name and its data."""

log = structlog.get_logger(__name__)


def encode(events: Iterable[StreamEvent], view: View | None) -> bytes:
    """Frames as they travel. EXT: every event has an id, by which a reader may resume."""
    frames = []
    for event in events:
        name, data = (event.name, event.data) if view is None else view(event.name, event.data)
        frames.append(b"id: %d.%d\nevent: %s\ndata: %s\n\n" % (event.epoch, event.seq, name.encode(), data))
    return b"".join(frames)


async def respond(
    api: Api, stream: RunStream, view: View | None, headers: list[tuple[bytes, bytes]], receive: Receive, send: Send
) -> None:
    """Begin what is streamed and relay it to its end. What `begin` refuses is raised before anything is sent."""
    async with api.bus.tail(stream.run_id, None) as tail:
        # Listening first: no event of what begins now can be missed.
        await stream.begin()
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        relay = asyncio.create_task(_relay(api, stream, tail, view, send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait((relay, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not relay.done():
                relay.cancel()
            await asyncio.gather(relay, leaving, return_exceptions=True)
    if not relay.cancelled():
        relay.result()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _relay(api: Api, stream: RunStream, tail: Tail, view: View | None, send: Send) -> None:
    while True:
        try:
            events = await tail.next(KEEP_ALIVE)
        except BusStopped:
            await _break_off(send, "This server is stopping. The run goes on; retrieve it for its outcome.")
            return
        except EventsLost:
            await _break_off(send, "Events of this run were lost before they could be sent. Retrieve the run.")
            return
        if not events:
            if await _is_over(api, stream):
                await _break_off(send, "This run went on elsewhere. Retrieve it for its outcome.")
                return
            await send({"type": "http.response.body", "body": COMMENT, "more_body": True})
            continue
        if events[-1].name in LAST_EVENTS:
            await send({"type": "http.response.body", "body": encode(events, view) + DONE})
            return
        await send({"type": "http.response.body", "body": encode(events, view), "more_body": True})


async def _is_over(api: Api, stream: RunStream) -> bool:
    """Whether nothing more can come, though no last event was seen."""
    try:
        record = await api.store.find_run(stream.run_id)
    except Unavailable:
        return False
    return record is None or record.run.status not in ("queued", "in_progress", "cancelling")


async def _break_off(send: Send, words: str) -> None:
    """API: a fault of the stream itself is an `error` event; the status stays 200."""
    data = errors.stream_error(errors.ErrorObject(message=words, type="server_error"))
    await send({"type": "http.response.body", "body": b"event: error\ndata: %s\n\n%s" % (data, DONE)})
