"""Filters as conditions on a jsonb column. Held to the meaning in `domain.attribute_filter` by a test of both."""

import json
from collections.abc import Sequence
from typing import Any

from runstead.domain.attribute_filter import Equals, Filter, Joined, OneOf, Ordered, Value

_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def condition(filter: Filter, arguments: list[Any]) -> str:
    """A condition on `attributes`; what clients wrote goes into the arguments, never into the text."""
    match filter:
        case Joined(type, parts):
            joined = f" {type} ".join(condition(part, arguments) for part in parts)
            return f"({joined})" if parts else "true" if type == "and" else "false"
        case Equals(type, key, value):
            return _among(type == "eq", key, [value], arguments)
        case OneOf(type, key, values):
            return _among(type == "in", key, values, arguments)
        case Ordered(type, key, value) if isinstance(value, str):
            column, wanted = _added(arguments, key), _added(arguments, value)
            # By code points, as everywhere else, whatever the database's collation.
            compared = f"""attributes ->> {column} COLLATE "C" {_SIGNS[type]} {wanted}"""
            return f"coalesce(jsonb_typeof(attributes -> {column}) = 'string' AND {compared}, false)"
        case Ordered(type, key, value):
            column, wanted = _added(arguments, key), _added(arguments, json.dumps(value))
            # Numbers are compared as numbers; of other types only the first condition matters.
            compared = f"attributes -> {column} {_SIGNS[type]} {wanted}::jsonb"
            return f"coalesce(jsonb_typeof(attributes -> {column}) = 'number' AND {compared}, false)"


def _among(is_wanted: bool, key: str, values: Sequence[Value], arguments: list[Any]) -> str:
    column = _added(arguments, key)
    listed = _added(arguments, [json.dumps(value) for value in values])
    found = f"coalesce(attributes -> {column} = ANY ({listed}::jsonb[]), false)"
    return found if is_wanted else f"NOT {found}"


def _added(arguments: list[Any], value: Any) -> str:
    arguments.append(value)
    kind = "text[]" if isinstance(value, list) else "text"
    return f"${len(arguments)}::{kind}"
