"""From an exception to an answer: one table of statuses, one shape of body.

API: every refusal, whatever layer it comes from, is `{"error": {"message", "type", "param", "code"}}`.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from runstead.domain.errors import ContentsMissing, InvalidRequest, ModelFailed, NotFound, Stale, Unavailable
from runstead.http.refusals import short


class MissingKey(InvalidRequest):
    def __init__(self) -> None:
        super().__init__(
            "You didn't provide an API key. Send one in the Authorization header using Bearer auth "
            "(Authorization: Bearer YOUR_KEY)."
        )


class InvalidKey(InvalidRequest):
    """API: the key is shown masked, so that a person can tell which one was sent."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Incorrect API key provided: {masked(key)}. "
            "The keys that this server accepts are in its RUNSTEAD_API_KEYS setting.",
            code="invalid_api_key",
        )


class ForeignCaller(InvalidRequest):
    """A web page elsewhere speaks to a server that asks for no key."""

    def __init__(self, header: str, value: str) -> None:
        super().__init__(
            f"The {header} '{short(value)}' is not served: without API keys this server answers local callers only."
        )


class ForeignPage(InvalidRequest):
    """A browser asks for a page of an origin that may not come, or may not do that."""

    def __init__(self, origin: str, reason: str) -> None:
        super().__init__(
            f"Pages of '{short(origin)}' may not do this: {short(reason)}. See RUNSTEAD_CORS_ORIGINS.",
        )


class UnknownUrl(InvalidRequest):
    def __init__(self, method: str, path: str) -> None:
        super().__init__(f"Invalid URL ({short(method)} {short(path)})")


class MethodNotSupported(InvalidRequest):
    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(f"Only {' and '.join(allowed)} requests are accepted.", code="method_not_supported")
        self.allowed = allowed


class BodyTooLarge(InvalidRequest):
    def __init__(self, maximum: int) -> None:
        super().__init__(f"The body of your request is too large: at most {maximum} bytes are accepted.")


class SenderSilent(InvalidRequest):
    """A body was begun, and nothing more of it comes."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Nothing more of your request came for {seconds:.0f} seconds.")


class RangeNotSatisfiable(InvalidRequest):
    """Nothing of what was asked for lies within the contents, which have this many bytes."""

    def __init__(self, length: int) -> None:
        super().__init__(f"The requested range lies outside of the contents, which have {length} bytes.")
        self.length = length


class WrongContentType(InvalidRequest):
    def __init__(self, content_type: str, expected: str) -> None:
        super().__init__(f"Unsupported Content-Type '{short(content_type)}': send {expected}.")


class InvalidBeta(InvalidRequest):
    """No version was asked for, or none that is spoken here."""

    def __init__(self, version: str = "v2") -> None:
        super().__init__(
            "You must provide the 'OpenAI-Beta' header to access the Assistants API. "
            f"Please try again by setting the header 'OpenAI-Beta: assistants={version}'.",
            code="invalid_beta",
        )


def masked(key: str) -> str:
    """Enough of a key to recognise it: the last four characters, and only of one long enough to keep its secret."""
    if len(key) < 16 or not key.isascii() or not key.isprintable():
        return "***"
    return f"{'sk-' if key.startswith('sk-') else ''}...{key[-4:]}"


# A class stands for its subclasses too. API: a lock is 400 and never 409, which official clients retry.
STATUSES: dict[type[BaseException], tuple[int, str]] = {
    InvalidRequest: (400, "invalid_request_error"),
    MissingKey: (401, "invalid_request_error"),
    InvalidKey: (401, "invalid_request_error"),
    ForeignCaller: (403, "invalid_request_error"),
    NotFound: (404, "invalid_request_error"),
    UnknownUrl: (404, "invalid_request_error"),
    MethodNotSupported: (405, "invalid_request_error"),
    SenderSilent: (408, "invalid_request_error"),
    BodyTooLarge: (413, "invalid_request_error"),
    RangeNotSatisfiable: (416, "invalid_request_error"),
    ModelFailed: (502, "server_error"),
    # Somebody else was faster every time we tried: nothing is wrong with the request, and nothing was written.
    Stale: (503, "server_error"),
    Unavailable: (503, "server_error"),
    ContentsMissing: (503, "server_error"),
    BaseException: (500, "server_error"),
}

RETRY_AFTER = 1
"""Seconds after which a 503 is worth another try."""


class ErrorObject(Struct, frozen=True, kw_only=True):
    """What is wrong, as every client reads it."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorBody(Struct, frozen=True):
    error: ErrorObject


class StreamError(ErrorObject, frozen=True, kw_only=True):
    """API: in a stream some clients read the flat fields, some the member, so both are sent."""

    error: ErrorObject


class ErrorAnswer(Struct, frozen=True, kw_only=True):
    """A whole answer, for whichever framework sends it."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


def answer(error: BaseException, request_id: str = "") -> ErrorAnswer:
    """What a client is told about an exception. Of an unforeseen one it learns only where the log has more."""
    status, _ = _row(error)
    headers = {"content-type": "application/json"}
    if status == 503:
        headers["retry-after"] = str(RETRY_AFTER)
    if isinstance(error, MethodNotSupported):
        headers["allow"] = ", ".join(error.allowed)
    if isinstance(error, RangeNotSatisfiable):
        headers["content-range"] = f"bytes */{error.length}"
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    return ErrorAnswer(status=status, body=error_body(describe(error, request_id)), headers=headers)


def describe(error: BaseException, request_id: str = "") -> ErrorObject:
    _, type_ = _row(error)
    if isinstance(error, InvalidRequest):
        return ErrorObject(
            message=_sound(error.message), type=type_, param=error.param and _sound(error.param), code=error.code
        )
    if isinstance(error, ModelFailed):
        return ErrorObject(message=_sound(error.message), type=type_, code=error.code)
    if isinstance(error, ContentsMissing):
        return ErrorObject(message=error.message, type=type_)
    if isinstance(error, Unavailable | Stale):
        return ErrorObject(message="The server cannot do this at the moment. Please try again.", type=type_)
    where = f" Its log tells more under request id {request_id}." if request_id else ""
    return ErrorObject(message=f"The server had an error while processing your request.{where}", type=type_)


def error_body(error: ErrorObject) -> bytes:
    return msgspec.json.encode(ErrorBody(error))


def stream_error(error: ErrorObject) -> bytes:
    """The data of an `error` event."""
    return msgspec.json.encode(
        StreamError(message=error.message, type=error.type, param=error.param, code=error.code, error=error)
    )


def _row(error: BaseException) -> tuple[int, str]:
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def _sound(text: str) -> str:
    """Text that can be encoded: a path or a header may hold lone surrogates."""
    return text.encode("utf-8", "replace").decode()
