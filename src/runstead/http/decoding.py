"""Reads a JSON body into a wire struct, or refuses it as the original would.

The usual case is one typed decode. Only a body that it refuses is read again, slowly, to say what is wrong.
"""

import re
from functools import cache
from typing import Any, TypeVar

import msgspec

from runstead.domain.errors import InvalidRequest
from runstead.http.refusals import NotJson, NullCharacter, short
from runstead.http.second_reading import read
from runstead.wire.base import Body

B = TypeVar("B", bound=Body)

MAX_DEPTH = 100
"""Levels of nesting. What is accepted is encoded again later, from deeper in the stack and by other programs."""

MAX_TOKENS = 1_000_000
"""Strings, brackets and commas in one body: small values cost tens of times their JSON in memory."""

# Possessive, so that a string of megabytes needs no memory to go back.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|,|(?P<opens>[\[{])|(?P<closes>[\]}])')


def decode(raw: bytes, kind: type[B], *, optional: bool = False) -> B:
    """The body of a request. With `optional` an empty body or a JSON null stands for `{}`.

    Raises InvalidRequest and nothing else, whatever the bytes are.
    """
    if optional and raw.strip() in {b"", b"null"}:
        raw = b"{}"
    _refuse_monsters(raw)
    try:
        body: B = _decoder(kind).decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = _read_again(raw, kind)
    # The escape is the only way into a JSON string for U+0000; an escaped backslash before `u0000` is a false alarm.
    if b"\\u0000" in raw:
        _refuse_nulls(msgspec.json.decode(raw), "")
    return body


@cache
def _decoder(kind: type[Body]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def _read_again(raw: bytes, kind: type[B]) -> B:
    try:
        value = msgspec.json.decode(raw)
    except UnicodeDecodeError:
        raise NotJson("what was sent is not valid UTF-8") from None
    except msgspec.ValidationError:
        raise NotJson("a number in it is out of range") from None
    except msgspec.DecodeError:
        raise NotJson("what was sent was not valid JSON" if raw.strip() else "the body was empty") from None
    cleaned = read(value, kind)
    try:
        return msgspec.convert(cleaned, kind)
    except msgspec.ValidationError:
        raise InvalidRequest("The body of your request is invalid.") from None


def _refuse_monsters(raw: bytes) -> None:
    """Bound depth and number of values before anything is built, looking at the raw bytes only."""
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH and raw.count(b",") <= MAX_TOKENS // 10:
        return
    depth = 0
    for count, token in enumerate(_TOKEN.finditer(raw)):
        if token.lastgroup is not None:
            depth += 1 if token.lastgroup == "opens" else -1
            if depth > MAX_DEPTH:
                raise NotJson(f"what was sent is nested deeper than {MAX_DEPTH} levels")
        if count >= MAX_TOKENS:
            raise NotJson("what was sent holds too many values")


def _refuse_nulls(value: object, path: str) -> None:
    """Find the string with U+0000 in it, if there is one. Depth is bounded already."""
    if isinstance(value, str) and "\0" in value:
        raise NullCharacter(path)
    if isinstance(value, list):
        for index, item in enumerate(value):
            _refuse_nulls(item, f"{path}[{index}]")
    if isinstance(value, dict):
        for key, item in value.items():
            if "\0" in key:
                raise NullCharacter(path or "body")
            _refuse_nulls(item, f"{path}.{short(key)}" if path else short(key))
