"""The second, slow reading of a body that the typed decoder refused: finds what is wrong, and where.

The decoder's own words are never parsed. The body's type is walked beside the untyped value instead, so a refusal
can quote the value, its path and the limit. It also drops nulls where a field may be absent but has no null: clients
send an explicit null for every field they leave out.
"""

import re
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, NewType, Union, assert_never, get_args, get_origin

import msgspec
from msgspec import Meta, Struct, UnsetType

from runstead.http.refusals import (
    InvalidType,
    InvalidValue,
    KeyTooLong,
    MissingParameter,
    OutOfRange,
    PatternMismatch,
    TooManyProperties,
    UnknownParameter,
    WrongLength,
    short,
)

_Noun = Literal["string", "boolean", "integer", "decimal", "array", "object", "null", "any"]

_NOUNS: dict[object, _Noun] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "decimal",
    list: "array",
    dict: "object",
    NoneType: "null",
}


_NO_LIMITS = Meta()


class _Alternative(NamedTuple):
    """One member of a (flattened) union: the JSON noun it takes, its type, its limits."""

    noun: _Noun
    type: Any
    meta: Meta


def read(value: object, hint: object, path: str = "") -> object:
    """The value as the typed decoder would take it; raises the first refusal in the order of the document."""
    alternatives = _alternatives(hint)
    got = _NOUNS[type(value)]
    fitting = [each for each in alternatives if each.noun in {got, "any"}]
    if not fitting and got == "integer":
        fitting = [each for each in alternatives if each.noun == "decimal"]
    if not fitting:
        expected = [_described(each) for each in alternatives if each.noun != "null"]
        raise InvalidType(path, list(dict.fromkeys(expected)), "decimal number" if got == "decimal" else got)
    return _checked(value, fitting, path)


def _alternatives(hint: object, meta: Meta = _NO_LIMITS) -> list[_Alternative]:
    """The members of a type, with unions flattened."""
    origin = get_origin(hint)
    if isinstance(hint, NewType):
        return _alternatives(hint.__supertype__, meta)
    if origin is Annotated:
        inner, *limits = get_args(hint)
        return _alternatives(inner, limits[0])
    if origin is Union or origin is UnionType:
        return [each for member in get_args(hint) for each in _alternatives(member)]
    if hint is UnsetType:
        return []
    if hint is Any or hint is object:
        return [_Alternative("any", hint, meta)]
    if origin is Literal:
        return [_Alternative("string", hint, meta)]
    plain = origin or hint
    if isinstance(plain, type) and issubclass(plain, Struct):
        return [_Alternative("object", plain, meta)]
    return [_Alternative(_NOUNS[plain], hint, meta)]


def _described(alternative: _Alternative) -> str:
    if alternative.noun != "array":
        return alternative.noun
    items = {each.noun for each in _alternatives(get_args(alternative.type)[0])}
    return f"array of {items.pop()}s" if len(items) == 1 else "array"


def _checked(value: Any, fitting: list[_Alternative], path: str) -> object:
    first = fitting[0]
    match first.noun:
        case "string":
            _check_string(value, first, path)
            return value
        case "integer" | "decimal":
            _check_number(value, first, path)
            return value
        case "array":
            _check_length(value, first, path)
            item = get_args(first.type)[0]
            return [read(each, item, f"{path}[{index}]") for index, each in enumerate(value)]
        case "object":
            if get_origin(first.type) is dict:
                return _map(value, first, path)
            return _object(value, [each.type for each in fitting], path)
        case "boolean" | "null" | "any":
            return value
        case unreachable:
            assert_never(unreachable)


def _check_string(value: str, expected: _Alternative, path: str) -> None:
    if get_origin(expected.type) is Literal:
        supported = get_args(expected.type)
        if value not in supported:
            raise InvalidValue(path, value, supported)
    _check_length(value, expected, path)
    if expected.meta.pattern is not None and re.search(expected.meta.pattern, value) is None:
        raise PatternMismatch(path, expected.meta.pattern)


def _check_length(value: str | list[object], expected: _Alternative, path: str) -> None:
    low, high = expected.meta.min_length, expected.meta.max_length
    if len(value) < (low or 0) or (high is not None and len(value) > high):
        raise WrongLength(path, expected.noun, len(value), low, high)


def _check_number(value: float, expected: _Alternative, path: str) -> None:
    if expected.meta.ge is not None and value < expected.meta.ge:
        raise OutOfRange(path, expected.noun, value, minimum=expected.meta.ge)
    if expected.meta.le is not None and value > expected.meta.le:
        raise OutOfRange(path, expected.noun, value, maximum=expected.meta.le)


def _map(value: dict[str, object], expected: _Alternative, path: str) -> dict[str, object]:
    most = expected.meta.max_length
    if most is not None and len(value) > most:
        raise TooManyProperties(path, len(value), most)
    key_type, item_type = get_args(expected.type)
    longest = _alternatives(key_type)[0].meta.max_length
    for key in value:
        if longest is not None and len(key) > longest:
            raise KeyTooLong(path, len(key), longest)
    return {key: read(item, item_type, f"{path}.{short(key)}") for key, item in value.items()}


def _object(value: dict[str, object], types: list[type[Struct]], path: str) -> dict[str, object]:
    kind = _chosen(value, types, path)
    tag_field = kind.__struct_config__.tag_field
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    kept: dict[str, object] = {}
    for name, item in value.items():
        if name == tag_field:
            kept[name] = item
            continue
        field = fields.get(name)
        if field is None:
            raise UnknownParameter(_member(path, name))
        may_be_null = any(each.noun in {"null", "any"} for each in _alternatives(field.type))
        if item is not None or field.required or may_be_null:
            kept[name] = read(item, field.type, _member(path, name))
    for name, field in fields.items():
        if field.required and name not in kept:
            raise MissingParameter(_member(path, name))
    if hasattr(kind, "__post_init__"):
        _check_whole(kept, kind, path)
    return kept


def _chosen(value: dict[str, object], types: list[type[Struct]], path: str) -> type[Struct]:
    """Which struct of a union an object is meant to be, by its tag."""
    tag_field = types[0].__struct_config__.tag_field
    if tag_field is None:
        return types[0]
    by_tag = {str(kind.__struct_config__.tag): kind for kind in types}
    where = _member(path, tag_field)
    if tag_field not in value:
        raise MissingParameter(where)
    tag = value[tag_field]
    if not isinstance(tag, str):
        raise InvalidType(where, ["string"], _NOUNS[type(tag)])
    if tag not in by_tag:
        raise InvalidValue(where, tag, list(by_tag))
    return by_tag[tag]


def _check_whole(value: dict[str, object], kind: type[Struct], path: str) -> None:
    """Rules between fields: the wire structs say `missing:<field>` in a ValueError."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        problem, _, field = str(error.__cause__).partition(":")
        if problem == "missing":
            raise MissingParameter(_member(path, field)) from None
        raise


def _member(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
