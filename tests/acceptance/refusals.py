"""What the server refuses, as the client's exceptions show it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import openai
import pytest


class Refusal(NamedTuple):
    """All that an application can match on, the class of the exception included."""

    kind: type[openai.APIStatusError]
    message: str
    param: str | None = None
    code: str | None = None
    type: str | None = "invalid_request_error"


def refusal(act: Callable[..., Any], *args: Any, **kwargs: Any) -> Refusal:
    """How a call of the client is refused; a call that is not fails the test."""
    with pytest.raises(openai.APIStatusError) as refused:
        act(*args, **kwargs)
    return Refusal(
        type(refused.value), message_of(refused), refused.value.param, refused.value.code, refused.value.type
    )


def message_of(refused: pytest.ExceptionInfo[openai.APIStatusError]) -> str:
    """The server's sentence, without what the client puts around it."""
    body: Any = refused.value.body
    assert refused.value.request_id, "an answer without an x-request-id"
    return str(body["message"])


def bad_request(message: str, param: str | None = None, code: str | None = None) -> Refusal:
    return Refusal(openai.BadRequestError, message, param, code)


def not_found(message: str) -> Refusal:
    return Refusal(openai.NotFoundError, message)
