"""What a server turned out not to understand, remembered so that it is asked only once.

A server refuses stream_options and max_completion_tokens whatever the model; the other fields depend on the model.
"""

from collections.abc import Mapping
from typing import Any

from runstead.model.upstream_errors import UpstreamError

_PER_SERVER = ("stream_options", "max_completion_tokens")
_PER_MODEL = ("parallel_tool_calls", "reasoning_effort", "response_format")
_REMEMBERED = 1000
"""Models. Their names come from clients, so the memory of them is bounded."""

Refused = frozenset[str]


class Dialect:
    """One server's refusals."""

    def __init__(self) -> None:
        self._of_server: Refused = frozenset()
        self._of_models: dict[str, Refused] = {}

    def refused(self, model: str) -> Refused:
        """The fields that are known not to be taken for a model."""
        return self._of_server | self._of_models.get(model, frozenset())

    def remember(self, model: str, refused: Refused) -> None:
        """Keep what a successful call had to leave out."""
        self._of_server |= refused.intersection(_PER_SERVER)
        of_model = refused.intersection(_PER_MODEL)
        if of_model:
            if len(self._of_models) >= _REMEMBERED:
                self._of_models.clear()
            self._of_models[model] = self._of_models.get(model, frozenset()) | of_model


def newly_refused(error: UpstreamError, body: Mapping[str, Any]) -> str | None:
    """The field of a body that an error is about, if the answer can do without it or with another spelling."""
    if error.status not in {400, 422} or error.is_overflow:
        return None
    for field in (*_PER_SERVER, *_PER_MODEL):
        if field in body and (error.param == field or field in error.words):
            return field if field != "response_format" or _takes_no_schemas(error, body) else None
    return "response_format" if "json_schema" in error.words and _takes_no_schemas(error, body) else None


def adapt(body: dict[str, Any], refused: Refused) -> dict[str, Any]:
    """The body without the refused fields, or with what stands in for them."""
    adapted = {name: value for name, value in body.items() if name not in refused}
    if "max_completion_tokens" in refused and "max_completion_tokens" in body:
        adapted["max_tokens"] = body["max_completion_tokens"]
    if "response_format" in refused and "response_format" in body:
        # JSON of any shape is nearer to what was asked than prose.
        schema = body["response_format"].get("type") == "json_schema"
        adapted["response_format"] = {"type": "json_object"} if schema else body["response_format"]
    return adapted


def _takes_no_schemas(error: UpstreamError, body: Mapping[str, Any]) -> bool:
    asked = body.get("response_format")
    if not isinstance(asked, dict) or asked.get("type") != "json_schema":
        return False
    # A server that judges the schema takes schemas; its refusal is the caller's to see.
    return "invalid schema" not in error.words.lower() and error.code != "invalid_json_schema"
