"""The HTTP application: request ids, keys, routing by the table, and every refusal in the API's shape."""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence

import structlog
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Route
from starlette.types import Message, Receive, Scope, Send

from runstead.domain.errors import RunsteadError
from runstead.http import auth, errors
from runstead.http.api import Api
from runstead.http.endpoint import Endpoint
from runstead.http.operations import OPERATIONS

log = structlog.get_logger("runstead.access")

VERSION_HEADERS = ((b"openai-version", b"2020-10-01"),)
Check = Callable[[Headers], None]
OnAnswer = Callable[[str, int, float], None]
"""Told of every answer: the operation's id, the status, the seconds until it began."""
OPERATION = "runstead.operation"
"""Where a request's scope names the operation that answers it."""
NO_OPERATION = "none"
"""What a request is counted under that no operation answered."""


def routes(api: Api, *, max_body: int, max_upload: int, requires_beta: bool) -> list[Route]:
    """The table as routes."""
    found = []
    for operation in OPERATIONS:
        endpoint = Endpoint(api, operation, max_body=max_body, max_upload=max_upload, requires_beta=requires_beta)
        route = Route(operation.path, endpoint, methods=[operation.method], name=operation.id)
        if operation.may_stream and route.methods is not None:
            # The head of a stream would come at once and its connection be held until the run rests.
            route.methods.discard("HEAD")
        found.append(route)
    return found


def new_request_id() -> str:
    """What an answer, and the log's line about it, are called."""
    return f"req_{secrets.token_hex(16)}"


class Application:
    """The whole API as ASGI. `check` raises what a caller without rights is told; `open_routes` ask nobody."""

    def __init__(
        self, routes: Sequence[Route], *, check: Check, on_answer: OnAnswer, open_routes: Sequence[Route] = ()
    ) -> None:
        self._routes = routes
        # By path, so that a request of the API is not compared with each of them.
        self._open_routes = {route.path: route for route in open_routes}
        self._check = check
        self._on_answer = on_answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return
        started = time.perf_counter()
        request_id = new_request_id()
        status = 0
        elapsed = 0.0

        async def stamped(message: Message) -> None:
            nonlocal status, elapsed
            if message["type"] == "http.response.start":
                status = message["status"]
                elapsed = time.perf_counter() - started
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    (b"openai-processing-ms", b"%d" % (elapsed * 1000)),
                    *VERSION_HEADERS,
                ]
            await send(message)

        try:
            await self._route(scope, receive, stamped)
        except (ClientDisconnect, asyncio.CancelledError):
            # Only the end of a stop cancels, once the connection is closed: this task has nothing else to end.
            status = status or 499
        except RunsteadError as error:
            await _refuse(error, request_id, stamped, has_begun=status != 0)
        except Exception as error:
            # A stack trace belongs in the log; the client is told where to look.
            log.exception("request broke", request_id=request_id, path=scope["path"])
            await _refuse(error, request_id, stamped, has_begun=status != 0)
        self._on_answer(scope.get(OPERATION, NO_OPERATION), status, elapsed or time.perf_counter() - started)
        log.info(
            "request",
            request_id=request_id,
            method=scope["method"],
            path=scope["path"],
            status=status,
            ms=round((time.perf_counter() - started) * 1000, 1),
        )

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        open_route = self._open_routes.get(scope["path"])
        if open_route is not None and scope["method"] in (open_route.methods or ()):
            scope[OPERATION] = open_route.name
            await open_route.app(scope, receive, send)
            return
        self._check(Headers(scope=scope))
        allowed: list[str] = []
        for route in self._routes:
            match, child = route.matches(scope)
            if match is Match.FULL:
                scope.update(child)
                scope[OPERATION] = route.name
                await route.app(scope, receive, send)
                return
            if match is Match.PARTIAL:
                allowed += sorted(route.methods or ())
        if allowed:
            raise errors.MethodNotSupported([method for method in allowed if method != "HEAD"])
        raise errors.UnknownUrl(scope["method"], scope["path"])


async def _refuse(error: BaseException, request_id: str, send: Send, *, has_begun: bool) -> None:
    answer = errors.answer(error, request_id)
    if has_begun:
        # The status is sent: all that is left is to end the stream with an error event.
        data = errors.stream_error(errors.describe(error, request_id))
        await send({"type": "http.response.body", "body": b"event: error\ndata: %s\n\n" % data})
        return
    headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
    if answer.status in (408, 413):
        # What was not read would be taken for the next request.
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def checker(keys: auth.Keys, *, bound_host: str, origins: Sequence[str]) -> Check:
    """How callers are checked: by their key, or without keys by where they come from."""

    def by_key(headers: Headers) -> None:
        keys.check(headers.get("authorization"))

    def by_place(headers: Headers) -> None:
        auth.check_local(headers.get("host"), headers.get("origin"), bound_host, origins)

    return by_key if keys else by_place
