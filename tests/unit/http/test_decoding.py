"""Every refusal of a body, in the original's words."""

import json

import pytest

from runstead.domain.errors import InvalidRequest
from runstead.http.decoding import MAX_DEPTH, MAX_TOKENS, decode
from runstead.wire.assistants import CreateAssistant, ModifyAssistant
from runstead.wire.messages import CreateMessage
from runstead.wire.runs import CreateRun, ModifyRun, SubmitToolOutputs
from runstead.wire.threads import CreateThread
from runstead.wire.v1.messages import CreateMessage as V1CreateMessage
from runstead.wire.v1.runs import CreateRun as V1CreateRun

ASSISTANT = {"model": "m"}
RUN = {"assistant_id": "asst_1"}
USER = {"role": "user", "content": "hi"}


def tool(**function):
    return {**ASSISTANT, "tools": [{"type": "function", "function": function}]}


def refusal(kind, body, **options):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(InvalidRequest) as raised:
        decode(raw, kind, **options)
    return raised.value


@pytest.mark.parametrize(
    ("kind", "body", "param"),
    [
        (CreateAssistant, {**ASSISTANT, "file_ids": []}, "file_ids"),
        (CreateAssistant, {**ASSISTANT, "tools": [{"type": "code_interpreter", "zz": 1}]}, "tools[0].zz"),
        (
            CreateAssistant,
            {**ASSISTANT, "tool_resources": {"file_search": {"file_ids": ["x"]}}},
            "tool_resources.file_search.file_ids",
        ),
        (CreateThread, {"messages": [USER, {**USER, "file_ids": []}]}, "messages[1].file_ids"),
        (V1CreateRun, {**RUN, "parallel_tool_calls": True}, "parallel_tool_calls"),
        (V1CreateRun, {**RUN, "thread_id": "thread_1"}, "thread_id"),
        (V1CreateMessage, {**USER, "attachments": []}, "attachments"),
    ],
)
def test_a_field_that_is_not_known_is_refused(kind, body, param):
    error = refusal(kind, body)

    assert error.message == f"Unknown parameter: '{param}'."
    assert (error.param, error.code) == (param, "unknown_parameter")


@pytest.mark.parametrize(
    ("kind", "body", "param"),
    [
        (CreateRun, {}, "assistant_id"),
        (CreateAssistant, {"name": "x"}, "model"),
        (CreateMessage, {"role": "user"}, "content"),
        (SubmitToolOutputs, {}, "tool_outputs"),
        (CreateAssistant, {**ASSISTANT, "tools": [{}]}, "tools[0].type"),
        (CreateAssistant, {**ASSISTANT, "tools": [{"type": "function"}]}, "tools[0].function"),
        (CreateAssistant, tool(description="x"), "tools[0].function.name"),
        (CreateRun, {**RUN, "tool_choice": {"type": "function"}}, "tool_choice.function"),
        (V1CreateRun, {**RUN, "tool_choice": {"type": "function"}}, "tool_choice.function"),
        (CreateRun, {**RUN, "truncation_strategy": {"type": "last_messages"}}, "truncation_strategy.last_messages"),
        (
            CreateAssistant,
            {**ASSISTANT, "tools": [{"type": "file_search", "file_search": {"ranking_options": {}}}]},
            "tools[0].file_search.ranking_options.score_threshold",
        ),
    ],
)
def test_a_field_that_must_be_there_is_asked_for(kind, body, param):
    error = refusal(kind, body)

    assert error.message == f"Missing required parameter: '{param}'."
    assert (error.param, error.code) == (param, "missing_required_parameter")


@pytest.mark.parametrize(
    ("kind", "body", "param", "value", "supported"),
    [
        (CreateMessage, {**USER, "role": "system"}, "role", "system", "values are: 'user' and 'assistant'"),
        (CreateRun, {**RUN, "tool_choice": "any"}, "tool_choice", "any", "values are: 'none', 'auto', and 'required'"),
        (V1CreateRun, {**RUN, "tool_choice": "required"}, "tool_choice", "required", "values are: 'none' and 'auto'"),
        (CreateAssistant, {**ASSISTANT, "response_format": "none"}, "response_format", "none", "value is: 'auto'"),
        (
            CreateAssistant,
            {**ASSISTANT, "tools": [{"type": "retrieval"}]},
            "tools[0].type",
            "retrieval",
            "values are: 'code_interpreter', 'file_search', and 'function'",
        ),
        (
            V1CreateRun,
            {**RUN, "tools": [{"type": "file_search"}]},
            "tools[0].type",
            "file_search",
            "values are: 'code_interpreter', 'retrieval', and 'function'",
        ),
        (
            CreateRun,
            {**RUN, "additional_messages": [{**USER, "content": [{"type": "refusal", "refusal": "x"}]}]},
            "additional_messages[0].content[0].type",
            "refusal",
            "values are: 'text', 'image_file', and 'image_url'",
        ),
    ],
)
def test_a_value_outside_its_set_is_answered_with_the_set(kind, body, param, value, supported):
    error = refusal(kind, body)

    assert error.message == f"Invalid value: '{value}'. Supported {supported}."
    assert (error.param, error.code) == (param, "invalid_value")


@pytest.mark.parametrize(
    ("kind", "body", "param", "words"),
    [
        (CreateAssistant, {"model": 3}, "model", "expected a string, but got an integer instead."),
        (CreateAssistant, {"model": None}, "model", "expected a string, but got null instead."),
        (CreateAssistant, {**ASSISTANT, "name": []}, "name", "expected a string, but got an array instead."),
        (CreateAssistant, {**ASSISTANT, "name": {}}, "name", "expected a string, but got an object instead."),
        (CreateAssistant, {**ASSISTANT, "tools": {}}, "tools", "expected an array of objects, but got an object instead."),
        (CreateAssistant, {**ASSISTANT, "tools": ["x"]}, "tools[0]", "expected an object, but got a string instead."),
        (CreateAssistant, {**ASSISTANT, "temperature": "1"}, "temperature", "expected a decimal, but got a string instead."),
        (CreateAssistant, {**ASSISTANT, "metadata": {"a": 1}}, "metadata.a", "expected a string, but got an integer instead."),
        (CreateAssistant, {**ASSISTANT, "tools": [{"type": 1}]}, "tools[0].type", "expected a string, but got an integer instead."),
        (CreateRun, {**RUN, "stream": "true"}, "stream", "expected a boolean, but got a string instead."),
        (CreateRun, {**RUN, "stream": 1}, "stream", "expected a boolean, but got an integer instead."),
        (CreateRun, {**RUN, "max_prompt_tokens": True}, "max_prompt_tokens", "expected an integer, but got a boolean instead."),
        (CreateRun, {**RUN, "max_prompt_tokens": 300.5}, "max_prompt_tokens", "expected an integer, but got a decimal number instead."),
        (CreateRun, {**RUN, "tool_choice": 1}, "tool_choice", "expected one of a string or object, but got an integer instead."),
        (CreateMessage, {"role": "user", "content": 1}, "content", "expected one of a string or array of objects, but got an integer instead."),
        (V1CreateMessage, {"role": "user", "content": [{"type": "text", "text": "x"}]}, "content", "expected a string, but got an array instead."),
        (ModifyRun, {"metadata": "x"}, "metadata", "expected an object, but got a string instead."),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_named_by_both_types(kind, body, param, words):
    error = refusal(kind, body)

    assert error.message == f"Invalid type for '{param}': {words}"
    assert (error.param, error.code) == (param, "invalid_type")


SIXTEEN = {str(i): "" for i in range(16)}


@pytest.mark.parametrize(
    ("kind", "body", "param", "code", "words"),
    [
        (CreateAssistant, {**ASSISTANT, "name": "n" * 300}, "name", "string_above_max_length",
         "string too long. Expected a string with maximum length 256, but got a string with length 300 instead."),
        (CreateAssistant, {**ASSISTANT, "description": "n" * 513}, "description", "string_above_max_length",
         "string too long. Expected a string with maximum length 512, but got a string with length 513 instead."),
        (CreateMessage, {"role": "user", "content": "n" * 256_001}, "content", "string_above_max_length",
         "string too long. Expected a string with maximum length 256000, but got a string with length 256001 instead."),
        (V1CreateMessage, {"role": "user", "content": ""}, "content", "empty_string",
         "empty string. Expected a string with minimum length 1, but got an empty string instead."),
        (CreateAssistant, tool(name=""), "tools[0].function.name", "empty_string",
         "empty string. Expected a string with minimum length 1, but got an empty string instead."),
        (CreateAssistant, tool(name="a b"), "tools[0].function.name", "invalid_value",
         "string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."),
        (CreateAssistant, tool(name="ab\n"), "tools[0].function.name", "invalid_value",
         "string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."),
        (CreateAssistant, {**ASSISTANT, "tools": [{"type": "code_interpreter"}] * 129}, "tools",
         "array_above_max_length",
         "array too long. Expected an array with maximum length 128, but got an array with length 129 instead."),
        (CreateMessage, {"role": "user", "content": []}, "content", "empty_array",
         "empty array. Expected an array with minimum length 1, but got an empty array instead."),
        (CreateRun, {**RUN, "additional_messages": [USER] * 101}, "additional_messages", "array_above_max_length",
         "array too long. Expected an array with maximum length 100, but got an array with length 101 instead."),
        (CreateAssistant, {**ASSISTANT, "metadata": {**SIXTEEN, "x": ""}}, "metadata", "object_above_max_properties",
         "too many properties. Expected an object with at most 16 properties, but got an object with 17 properties instead."),
        (CreateAssistant, {**ASSISTANT, "metadata": {"k" * 65: ""}}, "metadata", "string_above_max_length",
         "key too long. Expected every key to have at most 64 characters, but got a key with length 65 instead."),
        (CreateAssistant, {**ASSISTANT, "metadata": {"k": "v" * 513}}, "metadata.k", "string_above_max_length",
         "string too long. Expected a string with maximum length 512, but got a string with length 513 instead."),
        (CreateAssistant, {**ASSISTANT, "temperature": 3}, "temperature", "decimal_above_max_value",
         "decimal above maximum value. Expected a value <= 2, but got 3 instead."),
        (CreateAssistant, {**ASSISTANT, "top_p": -0.5}, "top_p", "decimal_below_min_value",
         "decimal below minimum value. Expected a value >= 0, but got -0.5 instead."),
        (CreateRun, {**RUN, "max_prompt_tokens": 255}, "max_prompt_tokens", "integer_below_min_value",
         "integer below minimum value. Expected a value >= 256, but got 255 instead."),
        (CreateRun, {**RUN, "max_completion_tokens": 2**31}, "max_completion_tokens", "integer_above_max_value",
         "integer above maximum value. Expected a value <= 2147483647, but got 2147483648 instead."),
    ],
)  # fmt: skip
def test_a_value_beyond_a_limit_is_told_the_limit(kind, body, param, code, words):
    error = refusal(kind, body)

    assert error.message == f"Invalid '{param}': {words}"
    assert (error.param, error.code) == (param, code)


UNPARSABLE = b"We could not parse the JSON body of your request."


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"model=m",
        b'{"model":"m"',
        b'{"model":"m"} trailing',
        b'\xef\xbb\xbf{"model":"m"}',
        b'{"model":"\xff"}',
        b'{"model":"\xed\xa0\x80"}',
        rb'{"model":"\ud800"}',
        rb'{"model":"\ud800x"}',
        b'{"model":"a\x00b"}',
        b'{"model":"m","temperature":NaN}',
        b'{"model":"m","temperature":-Infinity}',
        b'{"model":"m","temperature":1e999}',
        b'{"model":"m","temperature":' + b"1" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"model":"m","x":' + b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1) + b"}",
        b'{"model":"m","x":[' + b"0," * MAX_TOKENS + b"0]}",
        "{'model': 'm'}".encode("utf-16"),
    ],
    ids=lambda raw: repr(raw[:30]),
)  # fmt: skip
def test_what_is_no_json_is_called_that(raw):
    error = refusal(CreateAssistant, raw)

    assert error.message.startswith("We could not parse the JSON body of your request. ")
    assert (error.param, error.code) == (None, None)


@pytest.mark.parametrize(
    ("raw", "got"), [(b"[]", "an array"), (b"null", "null"), (b'"x"', "a string"), (b"1", "an integer")]
)
def test_a_body_that_is_no_object_is_refused(raw, got):
    error = refusal(CreateAssistant, raw)

    assert error.message == f"Invalid type for the request body: expected an object, but got {got} instead."
    assert (error.param, error.code) == (None, "invalid_type")


@pytest.mark.parametrize("raw", [b"", b"  \n", b"null", b" null ", b"{}"])
def test_an_optional_body_may_be_left_out(raw):
    assert decode(raw, CreateThread, optional=True) == CreateThread()


@pytest.mark.parametrize(
    ("raw", "param"),
    [
        (rb'{"model":"a\u0000b"}', "model"),
        (rb'{"model":"m","metadata":{"k":"\u0000"}}', "metadata.k"),
        (rb'{"model":"m","metadata":{"\u0000":"v"}}', "metadata"),
        (rb'{"model":"m","tools":[{"type":"function","function":{"name":"f","parameters":{"a":["\u0000"]}}}]}',
         "tools[0].function.parameters.a[0]"),
    ],
)  # fmt: skip
def test_the_null_character_is_refused_by_name(raw, param):
    error = refusal(CreateAssistant, raw)

    assert error.message == f"Invalid '{param}': strings must not contain the null character (U+0000)."
    assert (error.param, error.code) == (param, "invalid_value")


def test_an_escaped_backslash_before_u0000_is_plain_text():
    assert decode(rb'{"model":"a\\u0000"}', CreateAssistant).model == r"a\u0000"


def test_a_null_stands_for_an_absent_field_even_deep_inside():
    raw = b'{"model":"m","name":null,"tool_resources":{"code_interpreter":{"file_ids":null}},"tools":null}'

    body = decode(raw, CreateAssistant)

    assert body.tool_resources.code_interpreter.file_ids == []
    assert body.tools is None


def test_a_null_on_modify_is_kept_apart_from_absence():
    body = decode(b'{"name":null}', ModifyAssistant)

    assert body.name is None
    assert body == ModifyAssistant(name=None)
    assert body != ModifyAssistant()


def test_duplicate_keys_count_once():
    assert decode(b'{"model":"a","model":"b"}', CreateAssistant).model == "b"
    assert decode(b'{"model":1,"model":"b"}', CreateAssistant).model == "b"


def test_brackets_in_text_are_no_nesting():
    text = '["' * 10_000

    assert decode(json.dumps({"role": "user", "content": text}).encode(), CreateMessage).content == text


def test_commas_in_text_are_no_values():
    text = "," * (MAX_TOKENS // 5) + '\\"'

    assert decode(json.dumps({"role": "user", "content": text}).encode(), CreateMessage).content == text


def test_a_schema_may_nest_as_deep_as_the_bound():
    def nested(depth):
        return b'{"model":"m","tools":[{"type":"function","function":{"name":"f","parameters":%s}}]}' % (
            b'{"a":' * depth + b"0" + b"}" * depth
        )

    assert decode(nested(MAX_DEPTH - 4), CreateAssistant)
    assert "nested deeper" in refusal(CreateAssistant, nested(MAX_DEPTH)).message


@pytest.mark.parametrize(
    "body",
    [
        {**USER, "role": "x" * 1_000_000},
        {**USER, "x" * 1_000_000: 1},
        {**USER, "metadata": {"k": ["x" * 1_000_000]}},
    ],
)
def test_a_megabyte_in_the_wrong_place_does_not_come_back(body):
    error = refusal(CreateMessage, body)

    assert len(error.message) + len(error.param) < 1000
