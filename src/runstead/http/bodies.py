"""Reads a request's body within its bounds."""

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from runstead.http.errors import BodyTooLarge, WrongContentType


async def read_json(headers: Headers, receive: Receive, limit: int) -> bytes:
    """The body, which must say that it is JSON unless it is empty.

    Raises BodyTooLarge before more than `limit` bytes are read, WrongContentType, ClientDisconnect.
    """
    announced = headers.get("content-length", "")
    # Longer than any true length, and longer than int() likes.
    if len(announced) > 18 or (announced.isdecimal() and int(announced) > limit):
        raise BodyTooLarge(limit)
    pieces: list[bytes] = []
    size = 0
    more = True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ClientDisconnect
        piece = event.get("body", b"")
        more = event.get("more_body", False)
        size += len(piece)
        if size > limit:
            raise BodyTooLarge(limit)
        pieces.append(piece)
    body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    if body:
        content_type = headers.get("content-type", "")
        if content_type.partition(";")[0].strip().lower() != "application/json":
            raise WrongContentType(content_type, "application/json")
    return body
