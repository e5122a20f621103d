"""Answers that are JSON but not of the usual shape: text in a list of parts, counts that are no whole numbers.

Only what the usual decoding refused comes here, so it need not be fast.
"""

from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_TEXT_TYPES = (None, "text", "output_text")
"""Parts of any other type are thoughts or pictures, which are no words of the answer."""
_EXACT = 2**53
"""From here on a float may stand for several whole numbers."""


def read_odd(body: bytes, shape: type[T]) -> T:
    """A chunk or completion as far as it can be understood. Raises what `repair.UNREADABLE` lists."""
    told = msgspec.json.decode(body)
    if isinstance(told, dict):
        choices = told.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            _join_parts(choice)
        told["usage"] = _counts(told.get("usage"))
    return msgspec.convert(told, shape, strict=False)


def _join_parts(choice: object) -> None:
    if not isinstance(choice, dict):
        return
    for name in ("delta", "message"):
        spoken = choice.get(name)
        if isinstance(spoken, dict) and isinstance(spoken.get("content"), list):
            spoken["content"] = "".join(map(_text, spoken["content"]))


def _text(part: object) -> str:
    if isinstance(part, dict):
        part = part.get("text") if part.get("type") in _TEXT_TYPES else None
    return part if isinstance(part, str) else ""


def _counts(usage: object) -> dict[str, Any] | None:
    if not isinstance(usage, dict):
        return None
    return {name: count for name, count in usage.items() if _is_whole(count)}


def _is_whole(count: object) -> bool:
    if isinstance(count, str):
        return count.isascii() and count.isdecimal() and len(count) < 16
    return isinstance(count, int | float) and not isinstance(count, bool) and abs(count) < _EXACT and count % 1 == 0
