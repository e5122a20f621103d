"""Performs one operation: read the request, call the handler, answer in the version that was asked."""

import time
from typing import Any

import msgspec
from msgspec.structs import replace
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from runstead.domain.errors import InvalidRequest, KeyUsed, WrongStatus
from runstead.http import contents, result_content, sse
from runstead.http.api import Api, Call, RunStream, Version
from runstead.http.bodies import read_json
from runstead.http.contents import Contents
from runstead.http.decoding import decode
from runstead.http.errors import BodyTooLarge, SenderSilent, UnknownUrl
from runstead.http.forms import Form
from runstead.http.keyed import Keyed
from runstead.http.operations import Operation
from runstead.http.queries import parse_query
from runstead.http.versions import version_of
from runstead.wire import v1
from runstead.wire.runs import Run
from runstead.wire.vector_stores import FileBatch, VectorStoreFile

_encode = msgspec.json.Encoder().encode

JSON = (b"content-type", b"application/json")
STREAM = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # Proxies of the nginx kind would hold events back.
    (b"x-accel-buffering", b"no"),
]
SOON, LATER = b"200", b"1000"
YOUNG = 5
"""Seconds a run or an ingestion is polled quickly."""


class Endpoint:
    """An operation as ASGI."""

    def __init__(self, api: Api, operation: Operation, *, max_body: int, max_upload: int, requires_beta: bool) -> None:
        self._api = api
        self._operation = operation
        self._max_body = max_body
        self._max_upload = max_upload
        self._requires_beta = requires_beta and operation.needs_beta

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        version = version_of(",".join(headers.getlist("openai-beta")), is_required=self._requires_beta)
        if version not in self._operation.versions:
            raise UnknownUrl(scope["method"], scope["path"])
        try:
            await self._perform(version, headers, scope, receive, send)
        except InvalidRequest as error:
            if version == "v1":
                raise _in_v1_words(error) from None
            raise

    async def _perform(self, version: Version, headers: Headers, scope: Scope, receive: Receive, send: Send) -> None:
        operation = self._operation
        query = parse_query(
            scope["query_string"],
            is_list=operation.is_list,
            # API: v1 had nothing to include.
            has_include=operation.has_include and version == "v2",
            has_filter=operation.has_filter,
            has_metadata=operation.has_metadata,
            has_wait=operation.has_wait,
            limits=operation.limits,
        )
        if operation.is_upload:
            await self._take_upload(Call(version=version, path={}, query=query, body=None), headers, receive, send)
            return
        call: Call[Any] = Call(
            version=version,
            path=scope["path_params"],
            query=query,
            body=await self._body(version, headers, receive),
            last_event_id=headers.get("last-event-id") if operation.is_resumable else None,
            range=headers.get("range") if operation.is_download else None,
        )
        key = headers.get("idempotency-key") if operation.again is not None else None
        if key is None:
            await self._tell(call, await operation.handler(self._api, call), scope, receive, send)
            return
        keyed = Keyed(self._api, operation, call, key)
        try:
            # What a stream begins with is refused before anything of it is sent.
            await self._tell(call, await keyed.perform(), scope, receive, send)
        except KeyUsed:
            await self._tell(call, await keyed.answered_elsewhere(), scope, receive, send)

    async def _tell(self, call: Call[Any], answer: Any, scope: Scope, receive: Receive, send: Send) -> None:
        version = call.version
        if isinstance(answer, RunStream):
            view = _view_of_events(version, has_result_content=call.query.has_result_content)
            await sse.respond(self._api, answer, view, STREAM, receive, send)
            return
        if isinstance(answer, Contents):
            await contents.respond(answer, scope, receive, send)
            return
        await self._answer(version, answer, send)

    async def _take_upload(self, call: Call[None], headers: Headers, receive: Receive, send: Send) -> None:
        form = Form(headers, receive, self._max_upload)
        try:
            answer = await self._operation.handler(self._api, replace(call, form=form))
        except (BodyTooLarge, SenderSilent):
            raise
        except InvalidRequest:
            await form.skip_rest()
            raise
        await form.skip_rest()
        await self._answer(call.version, answer, send)

    async def _answer(self, version: Version, answer: Any, send: Send) -> None:
        operation = self._operation
        shown = v1.view(answer) if version == "v1" else answer
        answer_headers = [JSON]
        if operation.is_polled:
            answer_headers.append((b"openai-poll-after-ms", self._poll_after(answer)))
        await send({"type": "http.response.start", "status": 200, "headers": answer_headers})
        await send({"type": "http.response.body", "body": _encode(shown)})

    async def _body(self, version: Version, headers: Headers, receive: Receive) -> Any:
        kind = self._operation.body_in(version)
        if kind is None:
            return None
        raw = await read_json(headers, receive, self._max_body)
        body = decode(raw, kind, optional=self._operation.is_body_optional)
        return v1.canonical(body) if version == "v1" else body

    def _poll_after(self, polled: Run | VectorStoreFile | FileBatch) -> bytes:
        return SOON if time.time() - polled.created_at < YOUNG else LATER


def _view_of_events(version: Version, *, has_result_content: bool) -> sse.View | None:
    if version == "v1":
        return v1.view_event
    return None if has_result_content else result_content.view_event


def _in_v1_words(error: InvalidRequest) -> InvalidRequest:
    """A refusal of what was found in canonical objects, for a client that knows other words for them."""
    if isinstance(error, WrongStatus):
        return type(error)(v1.view_status(error.status))
    if error.param is not None:
        error.param = v1.parameter(error.param)
    return error
