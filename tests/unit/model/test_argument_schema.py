from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstead.model.argument_schema import Limits, argument_schema

LIMITS = Limits(string=50, items=3)


def simple(schema: object) -> Any:
    made = argument_schema({"type": "object", "properties": {"a": schema}}, LIMITS)
    assert made is not None
    return made["properties"]["a"]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, {"type": "string", "maxLength": 50}),
        ({"type": "string", "maxLength": 9, "pattern": "^x"}, {"type": "string", "maxLength": 9}),
        ({"type": "string", "maxLength": 9999, "minLength": 100}, {"type": "string", "maxLength": 50}),
        ({"type": ["string", "null"]}, {"type": ["string", "null"], "maxLength": 50}),
        ({"enum": ["c", "f"], "type": "string"}, {"enum": ["c", "f"]}),
        ({"type": "integer", "minimum": 1}, {"type": "integer", "minimum": 1}),
        ({"type": "unheard-of"}, {"type": "string", "maxLength": 50}),
        (True, {"type": "string", "maxLength": 50}),
        ({"$ref": "#/$defs/X"}, {"$ref": "#/$defs/X"}),
        ({"$ref": "http://elsewhere.example/x"}, {"type": "string", "maxLength": 50}),
        ({"type": "array"}, {"type": "array", "items": {"type": "string", "maxLength": 50}, "maxItems": 3}),
        ({"oneOf": [{"type": "null"}]}, {"anyOf": [{"type": "null"}]}),
    ],
)
def test_every_value_gets_an_end(schema, expected):
    assert simple(schema) == expected


@pytest.mark.parametrize("parameters", [None, {}, {"type": "object"}, {"type": "object", "properties": {}}, []])
def test_a_tool_without_parameters_needs_no_model(parameters):
    assert argument_schema(parameters, LIMITS) is None


def test_definitions_are_simplified_too():
    made = argument_schema({"properties": {"a": {"$ref": "#/$defs/X"}}, "$defs": {"X": {"type": "string"}}}, LIMITS)

    assert made is not None
    assert made["$defs"] == {"X": {"type": "string", "maxLength": 50}}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "items", "enum", "anyOf", "required", "maxLength", "$defs"]), inner
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_nonsense_is_survived(schema):
    argument_schema({"type": "object", "properties": {"a": schema}, "$defs": schema}, LIMITS)
