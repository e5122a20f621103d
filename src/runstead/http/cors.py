"""Browser pages of other origins: which may come, and how one that may not is told."""

from collections.abc import Sequence

import structlog
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from runstead.http import errors
from runstead.http.application import VERSION_HEADERS, new_request_id
from runstead.http.errors import ForeignPage

log = structlog.get_logger("runstead.access")


class Cors(CORSMiddleware):
    """Answers a browser's question beforehand as every answer is given: with a request id, refusals in one shape."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["*"],
            expose_headers=["x-request-id", "openai-poll-after-ms", "retry-after"],
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """What a page may do, or why not."""
        request_id = new_request_id()
        response = super().preflight_response(request_headers)
        if response.status_code >= 400:
            refusal = errors.answer(ForeignPage(request_headers.get("origin", ""), bytes(response.body).decode()))
            kept = {name: value for name, value in response.headers.items() if name.startswith(("access-", "vary"))}
            response = Response(refusal.body, refusal.status, {**kept, **refusal.headers})
        response.headers["x-request-id"] = request_id
        response.headers["openai-processing-ms"] = "0"
        for name, value in VERSION_HEADERS:
            response.headers[name.decode()] = value.decode()
        log.info("request", request_id=request_id, method="OPTIONS", status=response.status_code)
        return response
