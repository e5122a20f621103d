"""A refusal or failure of a model's server, read from whatever shape it has, and said so that a person can act on it."""

import re
from enum import Enum, auto
from typing import Any

from msgspec import Struct
from msgspec.json import Decoder, encode

from runstead.domain.errors import ModelFailed
from runstead.model.repair import UNREADABLE, repair_encoding, repair_escapes, repair_text
from runstead.wire.runs import ErrorCode

MAX_WORDS = 1000
"""Characters of the upstream's own words that are passed on."""


class Failure(Enum):
    """How a call can fail before or beside an HTTP status."""

    ANSWERED = auto()
    UNREACHABLE = auto()
    UNTRUSTED = auto()
    CUT = auto()
    SILENT = auto()
    NO_COMPLETION = auto()


class UpstreamError(Exception):
    """One failed call. `words` are the upstream's; `status` is None outside an HTTP error."""

    def __init__(
        self,
        words: str,
        *,
        failure: Failure = Failure.ANSWERED,
        status: int | None = None,
        code: str = "",
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(words)
        self.words = words
        self.failure = failure
        self.status = status
        self.code = code
        self.param = param
        self.retry_after = retry_after

    @property
    def is_overflow(self) -> bool:
        """The prompt and the answer do not fit the model's context."""
        return self.status not in {401, 403, 404, 429} and (
            self.code in _OVERFLOW_CODES or _OVERFLOW.search(self.words) is not None
        )

    @property
    def is_quota(self) -> bool:
        """The account is empty; waiting does not fill it."""
        return self.code == "insufficient_quota" or "insufficient_quota" in self.words

    @property
    def is_passing(self) -> bool:
        """Whether the same call may succeed a moment later."""
        if self.is_overflow or self.is_quota:
            return False
        if self.failure in {Failure.UNREACHABLE, Failure.CUT}:
            return True
        return self.status is not None and (self.status == 429 or self.status >= 500)

    @property
    def is_unknown_model(self) -> bool:
        return self.status == 404 or self.code == "model_not_found" or _NO_SUCH_MODEL.search(self.words) is not None


_OVERFLOW_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error", "ContextWindowExceededError"})
_OVERFLOW = re.compile(
    r"context_length_exceeded|exceed_context_size|ContextWindowExceeded"
    r"|maximum (?:context|model) length|max_model_len"
    r"|(?:exceeds?|exceeded|longer than|larger than) (?:the )?(?:available |max(?:imum)? )?context"
    r"|prompt is too long|prompt too long|input is too long|context (?:window|size) (?:is )?exceeded|n_ctx"
    r"|input token count .* exceeds",
    re.IGNORECASE,
)
_NO_SUCH_MODEL = re.compile(
    r"invalid model name|model[^.]{0,200}(?:does not exist|not found|is not available)", re.IGNORECASE
)


class _FailedAnswer(Struct):
    """What a server sends, in place of a chunk or as one, when it fails once it has begun."""

    error: Any = None
    object: Any = None
    choices: Any = None


def find_error(body: bytes) -> UpstreamError | None:
    """The failure that a chunk or a whole answer tells of, if it does."""
    body = repair_encoding(body)
    try:
        told = Decoder(_FailedAnswer).decode(body)
    except UNREADABLE:
        return None
    if told.error or told.object == "error":
        return from_body(None, body)
    for choice in told.choices if isinstance(told.choices, list) else ():
        if not isinstance(choice, dict):
            continue
        if choice.get("error"):
            return from_body(None, encode({"error": choice["error"]}))
        if choice.get("finish_reason") == "error":
            return UpstreamError("it gave 'error' as the reason why its answer ended")
    return None


class _Shape(Struct):
    """The error bodies in use: OpenAI's, Ollama's, vLLM's older one, FastAPI's."""

    error: Any = None
    message: Any = None
    detail: Any = None
    type: Any = None
    code: Any = None
    param: Any = None


def from_body(status: int | None, body: bytes, retry_after: float | None = None) -> UpstreamError:
    """Read an error body. A numeric code in a stream's error stands for the status that could not be sent."""
    body = repair_escapes(repair_encoding(body))
    try:
        shape = Decoder(_Shape).decode(body)
    except UNREADABLE:
        words = _plain(body.decode())
        return UpstreamError(words, status=status, retry_after=retry_after)
    inner = shape.error if isinstance(shape.error, dict) else {}
    words = next(
        (text for text in map(_say, (inner.get("message"), shape.error, shape.message, shape.detail)) if text), ""
    )
    codes = [inner.get("code"), inner.get("type"), shape.code, shape.type]
    numbers = [int(code) for code in codes if str(code).isdecimal() and len(str(code)) == 3]
    names = [str(code) for code in codes if isinstance(code, str) and not code.isdecimal()]
    known = next((name for name in names if name in _OVERFLOW_CODES or name == "insufficient_quota"), None)
    param = inner.get("param", shape.param)
    return UpstreamError(
        words or _plain(body.decode()),
        status=status if status is not None else next(iter(numbers), None),
        code=known or next(iter(names), ""),
        param=param if isinstance(param, str) else None,
        retry_after=retry_after,
    )


def explain(error: UpstreamError, model: str, idle: float, secret: str | None) -> ModelFailed:
    """The sentence a run ends with. `model` is the server's name for it, `idle` the limit in seconds."""
    words = _bounded(error.words if not secret else error.words.replace(secret, "[key]"))
    code, sentence = _sentence(error, model, idle)
    return ModelFailed(code, f"{sentence}: {words}" if words else f"{sentence}.")


def _sentence(error: UpstreamError, model: str, idle: float) -> tuple[ErrorCode, str]:
    match error.failure:
        case Failure.UNREACHABLE:
            return "server_error", "The model server cannot be reached at the address in RUNSTEAD_MODEL_URL"
        case Failure.UNTRUSTED:
            return (
                "server_error",
                "The model server's certificate is not trusted; set RUNSTEAD_MODEL_CA to the file of its authority",
            )
        case Failure.CUT:
            return "server_error", "The connection to the model server ended before the answer was complete"
        case Failure.SILENT:
            return "server_error", f"The model server sent nothing for {idle:g} seconds"
        case Failure.NO_COMPLETION:
            return "server_error", "What answers at RUNSTEAD_MODEL_URL is no chat-completions server"
        case Failure.ANSWERED:
            return _answered(error, model)


def _answered(error: UpstreamError, model: str) -> tuple[ErrorCode, str]:
    status = error.status
    if error.is_overflow:
        return "invalid_prompt", "The prompt does not fit the model's context"
    if error.is_quota:
        return "rate_limit_exceeded", "The model server's quota is used up"
    if status == 429:
        asked = "" if error.retry_after is None else f" and asks to wait {error.retry_after:g} seconds"
        return "rate_limit_exceeded", f"The model server limits the rate of requests{asked}"
    if status in {401, 403}:
        return "server_error", f"The model server refused the key ({status}); check RUNSTEAD_MODEL_KEY"
    if error.is_unknown_model:
        known = "map the name to one it has with RUNSTEAD_MODEL_MAP (and check that RUNSTEAD_MODEL_URL ends in /v1)"
        return "server_error", f"The model server has no model '{model[:200]}'; {known}"
    if status is not None and 300 <= status < 400:
        return (
            "server_error",
            f"The model server redirects ({status}), which is not followed; set RUNSTEAD_MODEL_URL to the final address",
        )
    if status is not None and status >= 500:
        return "server_error", f"The model server failed ({status})"
    if status is not None:
        return "server_error", f"The model server refused the request ({status})"
    return "server_error", "The model server failed while it answered"


def _say(told: object) -> str:
    if isinstance(told, str):
        return told
    if isinstance(told, list):
        # FastAPI: where and what, without the offending input, which is the prompt.
        return "; ".join(
            f"{'.'.join(map(str, item.get('loc', ())))}: {item.get('msg', '')}"
            for item in told
            if isinstance(item, dict)
        )
    return ""


def _plain(text: str) -> str:
    if title := re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL):
        return title[1].strip()
    return re.sub(r"<[^>]{0,500}>", " ", text) if text.lstrip().startswith("<") else text


def _bounded(words: str) -> str:
    words = " ".join(repair_text(words).split())
    return words if len(words) <= MAX_WORDS else words[: MAX_WORDS - 1] + "…"
