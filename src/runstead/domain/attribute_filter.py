"""Filters over the attributes of a store's files: what is one, and what it lets through.

Indexes apply them before they rank. `matches` is the meaning; an index that filters in a language of its own is held
to it.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

from msgspec import Struct

from runstead.domain.errors import InvalidRequest, shown

Value: TypeAlias = str | float | bool
Attributes: TypeAlias = Mapping[str, Value]
Order = Literal["gt", "gte", "lt", "lte"]
Equality = Literal["eq", "ne"]
Membership = Literal["in", "nin"]
Junction = Literal["and", "or"]

MOST_PARTS = 1_000
"""Comparisons and listed values in one filter."""
DEEPEST = 20


class Equals(Struct, frozen=True):
    """`ne` is exactly what `eq` is not: a file without the attribute is let through."""

    type: Equality
    key: str
    value: Value


class Ordered(Struct, frozen=True):
    """Holds only between two numbers, or between two strings by their code points."""

    type: Order
    key: str
    value: str | float


class OneOf(Struct, frozen=True):
    """`nin` is exactly what `in` is not."""

    type: Membership
    key: str
    values: tuple[Value, ...]


class Joined(Struct, frozen=True):
    """All of them, or any. `and` of nothing lets everything through, `or` of nothing nothing."""

    type: Junction
    filters: tuple["Filter", ...]


Filter: TypeAlias = Equals | Ordered | OneOf | Joined

TYPES = tuple(name for kinds in (Equality, Order, Membership, Junction) for name in get_args(kinds))


def matches(filter: Filter, attributes: Attributes) -> bool:
    """Whether a file with these attributes is let through. Values of different types are different: 1 is not true."""
    match filter:
        case Joined("and", parts):
            return all(matches(part, attributes) for part in parts)
        case Joined(_, parts):
            return any(matches(part, attributes) for part in parts)
        case Equals(type, key, value):
            return (key in attributes and _is_same(attributes[key], value)) is (type == "eq")
        case OneOf(type, key, values):
            return (key in attributes and any(_is_same(attributes[key], value) for value in values)) is (type == "in")
        case Ordered(type, key, value):
            return key in attributes and _is_ordered(type, attributes[key], value)


def _is_same(one: Value, other: Value) -> bool:
    return _kind(one) == _kind(other) and one == other


def _is_ordered(type: Order, one: Value, other: str | float) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return _compare(type, (one > other) - (one < other))
    if isinstance(one, str | bool) or isinstance(other, str):
        return False
    return _compare(type, (one > other) - (one < other))


def _compare(type: Order, sign: int) -> bool:
    match type:
        case "gt":
            return sign > 0
        case "gte":
            return sign >= 0
        case "lt":
            return sign < 0
        case "lte":
            return sign <= 0


def _kind(value: Value) -> str:
    return "bool" if isinstance(value, bool) else "string" if isinstance(value, str) else "number"


class _Budget:
    """What is left of MOST_PARTS while one filter is read."""

    def __init__(self, param: str) -> None:
        self._param = param
        self._left = MOST_PARTS

    def spend(self, parts: int) -> None:
        self._left -= parts
        if self._left < 0:
            raise InvalidRequest(
                f"Invalid '{self._param}': too large. Expected at most {MOST_PARTS} comparisons and listed values.",
                param=self._param,
                code="invalid_value",
            )


def parse(raw: Any, param: str = "filters") -> Filter:
    """A filter as a client wrote it, decoded from JSON. Raises InvalidRequest that names the place."""
    return _parse(raw, param, 0, _Budget(param))


def _parse(raw: Any, param: str, depth: int, budget: _Budget) -> Filter:
    budget.spend(1)
    if depth > DEEPEST:
        raise InvalidRequest(
            f"Invalid '{param}': nested too deeply. Expected at most {DEEPEST} levels.",
            param=param,
            code="invalid_value",
        )
    if not isinstance(raw, dict):
        raise _wrong_type(param, "an object", raw)
    type = _required(raw, "type", param)
    if type not in TYPES:
        supported = ", ".join(f"'{name}'" for name in TYPES[:-1])
        raise InvalidRequest(
            f"Invalid value: '{shown(str(type))}'. Supported values are: {supported} and '{TYPES[-1]}'.",
            param=f"{param}.type",
            code="invalid_value",
        )
    known = {"type", "filters"} if type in get_args(Junction) else {"type", "key", "value"}
    for name in raw:
        if name not in known:
            place = f"{param}.{shown(str(name))}"
            raise InvalidRequest(f"Unknown parameter: '{place}'.", param=place, code="unknown_parameter")
    if type in get_args(Junction):
        parts = _required(raw, "filters", param)
        if not isinstance(parts, list):
            raise _wrong_type(f"{param}.filters", "an array", parts)
        return Joined(
            type,
            tuple(_parse(part, f"{param}.filters[{i}]", depth + 1, budget) for i, part in enumerate(parts)),
        )
    return _comparison(raw, type, param, budget)


def _comparison(raw: dict[str, Any], type: Any, param: str, budget: _Budget) -> Filter:
    key = _required(raw, "key", param)
    if not isinstance(key, str):
        raise _wrong_type(f"{param}.key", "a string", key)
    value, place = _required(raw, "value", param), f"{param}.value"
    if type in get_args(Membership):
        if not isinstance(value, list):
            raise _wrong_type(place, "an array", value)
        budget.spend(len(value))
        return OneOf(type, key, tuple(_value(one, f"{place}[{i}]") for i, one in enumerate(value)))
    read = _value(value, place)
    if type in get_args(Equality):
        return Equals(type, key, read)
    if isinstance(read, bool):
        raise _wrong_type(place, "a string or a number", value)
    return Ordered(type, key, read)


def _value(raw: Any, param: str) -> Value:
    if isinstance(raw, float) and not math.isfinite(raw):
        raise _wrong_type(param, "a finite number", raw)
    if not isinstance(raw, str | int | float):
        raise _wrong_type(param, "a string, a number or a boolean", raw)
    if isinstance(raw, int) and not isinstance(raw, bool):
        return _double(raw, param)
    return raw


def _double(raw: int, param: str) -> float:
    try:
        return float(raw)
    except OverflowError:
        raise _wrong_type(param, "a finite number", raw) from None


def _required(raw: dict[str, Any], name: str, param: str) -> Any:
    if raw.get(name) is None:
        raise InvalidRequest(
            f"Missing required parameter: '{param}.{name}'.",
            param=f"{param}.{name}",
            code="missing_required_parameter",
        )
    return raw[name]


def _wrong_type(param: str, expected: str, got: Any) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid type for '{param}': expected {expected}, but got {_named(got)} instead.",
        param=param,
        code="invalid_type",
    )


def _named(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"
