"""A tool's parameters as a schema that a tiny model can be held to: everything it may write has an end."""

from typing import Any

from msgspec import Struct

MAX_DEPTH = 8
_TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})
# What the runtime turns into a grammar without surprises. Patterns and formats can make grammars explode.
_KEPT = frozenset({"enum", "const", "required", "minimum", "maximum", "$ref"})


class Limits(Struct, frozen=True):
    """How much one value may hold. Without a limit a tiny model writes one string until its tokens run out."""

    string: int = 200
    items: int = 4


def argument_schema(parameters: object, limits: Limits) -> dict[str, Any] | None:
    """The schema to hold the arguments to, or None if the tool takes none."""
    if not isinstance(parameters, dict) or not parameters.get("properties"):
        return None
    schema = {**_simple(parameters, limits, 0), "type": "object"}
    for name in ("$defs", "definitions"):
        if isinstance(parameters.get(name), dict):
            schema[name] = {key: _simple(part, limits, 1) for key, part in parameters[name].items()}
    return schema


def _simple(schema: object, limits: Limits, depth: int) -> dict[str, Any]:
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return {"type": "string", "maxLength": limits.string}
    simple: dict[str, Any] = {key: value for key, value in schema.items() if key in _KEPT and _is_sane(key, value)}
    for key in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(key), list) and schema[key]:
            simple["anyOf" if key == "oneOf" else key] = [_simple(part, limits, depth + 1) for part in schema[key]]
    if simple.keys() & {"enum", "const", "$ref", "anyOf", "allOf"}:
        return simple
    types = [name for name in _as_list(schema.get("type")) if isinstance(name, str) and name in _TYPES]
    if not types:
        types = ["object"] if "properties" in schema else ["string"]
    simple["type"] = types[0] if len(types) == 1 else types
    if "string" in types:
        simple["maxLength"] = _at_most(schema.get("maxLength"), limits.string)
    if "array" in types:
        simple["items"] = _simple(schema.get("items"), limits, depth + 1)
        simple["maxItems"] = _at_most(schema.get("maxItems"), limits.items)
    if "object" in types:
        properties = schema.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        simple["properties"] = {str(name): _simple(part, limits, depth + 1) for name, part in properties.items()}
        simple["additionalProperties"] = False
    return simple


def _is_sane(key: str, value: object) -> bool:
    match key:
        case "enum":
            return isinstance(value, list) and bool(value)
        case "required":
            return isinstance(value, list) and all(isinstance(name, str) for name in value)
        case "minimum" | "maximum":
            return isinstance(value, int | float)
        case "$ref":
            return isinstance(value, str) and value.startswith("#/")
        case _:
            return True


def _as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _at_most(asked: object, limit: int) -> int:
    return min(asked, limit) if isinstance(asked, int) and asked >= 0 else limit
