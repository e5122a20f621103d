import pytest

from runstead.model.dialect import Dialect, adapt, newly_refused
from runstead.model.upstream_errors import UpstreamError

SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}
BODY = {
    "model": "m",
    "messages": [],
    "stream_options": {"include_usage": True},
    "max_completion_tokens": 5,
    "parallel_tool_calls": False,
    "reasoning_effort": "low",
    "response_format": SCHEMA,
}


@pytest.mark.parametrize(
    ("status", "words", "field"),
    [
        (400, "Unrecognized request argument supplied: stream_options", "stream_options"),
        (422, "body.stream_options: Extra inputs are not permitted", "stream_options"),
        (400, "Unsupported parameter: 'max_completion_tokens' is not supported.", "max_completion_tokens"),
        (400, "Unsupported parameter: 'parallel_tool_calls'", "parallel_tool_calls"),
        (400, "Unknown field reasoning_effort", "reasoning_effort"),
        (400, "'response_format.type' : value must be one of json_object, text", "response_format"),
        (400, "json_schema is not supported", "response_format"),
        (400, "Invalid schema for response_format 'a': additionalProperties is required", None),
        (400, "top_p is out of range", None),
        (500, "stream_options broke me", None),
        (400, "max_completion_tokens is too large: this model's maximum context length is 5", None),
    ],
)
def test_a_field_counts_as_refused_only_if_the_error_names_it(status, words, field):
    assert newly_refused(UpstreamError(words, status=status), BODY) == field


def test_a_field_that_was_not_sent_cannot_be_the_reason():
    assert newly_refused(UpstreamError("no stream_options", status=400), {"model": "m"}) is None


@pytest.mark.parametrize(
    ("field", "gone", "instead"),
    [
        ("stream_options", "stream_options", {}),
        ("max_completion_tokens", "max_completion_tokens", {"max_tokens": 5}),
        ("parallel_tool_calls", "parallel_tool_calls", {}),
        ("reasoning_effort", "reasoning_effort", {}),
        ("response_format", None, {"response_format": {"type": "json_object"}}),
    ],
)
def test_what_is_sent_in_place_of_a_refused_field(field, gone, instead):
    adapted = adapt(BODY, frozenset({field}))

    assert gone not in adapted
    assert adapted | instead == adapted


def test_plain_json_is_never_turned_into_prose():
    body = {"response_format": {"type": "json_object"}}

    assert newly_refused(UpstreamError("response_format is not supported", status=400), body) is None
    assert adapt(body, frozenset({"response_format"})) == body


def test_some_refusals_hold_for_the_server_and_some_for_the_model():
    dialect = Dialect()
    dialect.remember("a", frozenset({"stream_options", "reasoning_effort"}))

    assert dialect.refused("a") == {"stream_options", "reasoning_effort"}
    assert dialect.refused("b") == {"stream_options"}


def test_the_memory_of_models_is_bounded():
    dialect = Dialect()
    for number in range(3000):
        dialect.remember(f"m{number}", frozenset({"reasoning_effort"}))

    assert len(dialect._of_models) <= 1000
