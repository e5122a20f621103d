"""What a value may be, as small functions that say what is wrong with it; tables of shapes are made of them."""

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

Json = dict[str, Any]
Kind = Callable[[Any], Iterator[str]]
"""Yields a sentence for each thing that is wrong with a value; a part of it is named as `.part: sentence`."""

SECONDS = 2**31
"""The oldest clients keep an instant in 32 bits."""


class Absent(Struct, frozen=True):
    """A field that may be left out, and what it is if it is there."""

    kind: Kind


Shape = dict[str, Kind | Absent]


def string(value: Any) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{_shown(value)} is not a string"


def boolean(value: Any) -> Iterator[str]:
    if not isinstance(value, bool):
        yield f"{_shown(value)} is not true or false"


def count(value: Any) -> Iterator[str]:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        yield f"{_shown(value)} is not a count"


def number(value: Any) -> Iterator[str]:
    if not isinstance(value, int | float) or isinstance(value, bool):
        yield f"{_shown(value)} is not a number"


def instant(value: Any) -> Iterator[str]:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < SECONDS:
        yield f"{_shown(value)} is not a time in whole seconds"


def anything(_: Any) -> Iterator[str]:
    return iter(())


def mapping(value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{_shown(value)} is not an object"


def metadata(value: Any) -> Iterator[str]:
    yield from mapping(value)
    if isinstance(value, dict):
        for key, each in value.items():
            if not isinstance(each, str):
                yield f".{key}: {_shown(each)} is not a string"


def id_of(prefix: str) -> Kind:
    """An id that begins as its kind's ids do."""

    def kind(value: Any) -> Iterator[str]:
        if not isinstance(value, str) or not value.startswith(prefix) or value == prefix:
            yield f"{_shown(value)} does not begin with {prefix!r}"

    return kind


def one_of(*words: Any) -> Kind:
    """A closed set: clients refuse any other word."""

    def kind(value: Any) -> Iterator[str]:
        if value not in words or isinstance(value, bool) != (value in (True, False)):
            yield f"{_shown(value)} is none of {', '.join(map(str, words))}"

    return kind


def nullable(inner: Kind) -> Kind:
    def kind(value: Any) -> Iterator[str]:
        return iter(()) if value is None else inner(value)

    return kind


def list_of(inner: Kind) -> Kind:
    def kind(value: Any) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{_shown(value)} is not a list"
            return
        for place, each in enumerate(value):
            yield from (f"[{place}]{_below(fault)}" for fault in inner(each))

    return kind


def either(*kinds: Kind) -> Kind:
    """Any of several; the faults of the last one are told."""

    def kind(value: Any) -> Iterator[str]:
        faults: list[str] = []
        for each in kinds:
            faults = list(each(value))
            if not faults:
                return
        yield from faults

    return kind


def shape(fields: Shape) -> Kind:
    """An object with at least these fields; clients skip what they do not know."""

    def kind(value: Any) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{_shown(value)} is not an object"
            return
        for name, wanted in fields.items():
            inner = wanted.kind if isinstance(wanted, Absent) else wanted
            if name in value:
                yield from (f".{name}{_below(fault)}" for fault in inner(value[name]))
            elif not isinstance(wanted, Absent):
                yield f".{name} is absent"

    return kind


def by_type(**shapes: Shape) -> Kind:
    """Objects that name their kind in `type`; any other word is refused by clients."""
    kinds = {name: shape(fields) for name, fields in shapes.items()}

    def kind(value: Any) -> Iterator[str]:
        name = value.get("type") if isinstance(value, dict) else None
        if name in kinds:
            yield from kinds[name](value)
        else:
            yield f".type: {_shown(name)} is none of {', '.join(kinds)}"

    return kind


def _below(fault: str) -> str:
    return fault if fault.startswith((".", "[")) else f": {fault}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
