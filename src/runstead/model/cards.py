"""What servers tell about their models at /models, read tolerantly: every field but the name may be missing."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from runstead.model.repair import UNREADABLE, repair_encoding, repair_escapes, repair_text
from runstead.wire.models import Model

_LATEST = 2**31 - 1
_WINDOW_FIELDS = ("max_model_len", "context_length", "context_window", "max_context_length")
# The context a llama.cpp server runs with, before the one its model was trained with.
_META_WINDOW_FIELDS = ("n_ctx", "n_ctx_train")


class Card(msgspec.Struct, frozen=True):
    """A model as its server shows it; `window` in tokens, if it says."""

    model: Model
    window: int | None


def read_cards(body: bytes) -> list[Card] | None:
    """The cards in a /models answer, or None if it is none."""
    try:
        answer = msgspec.json.decode(repair_escapes(repair_encoding(body)))
    except UNREADABLE:
        return None
    entries = answer.get("data") or answer.get("models") or [] if isinstance(answer, dict) else answer
    return list(_cards(entries)) if isinstance(entries, list) else None


def _cards(entries: list[Any]) -> Iterator[Card]:
    for entry in entries:
        fields = entry if isinstance(entry, dict) else {"id": entry}
        name = fields.get("id") or fields.get("name") or fields.get("model")
        if not isinstance(name, str):
            continue
        owner = fields.get("owned_by")
        model = Model(
            id=repair_text(name),
            created=_created(fields.get("created", fields.get("created_at"))),
            owned_by=repair_text(owner) if isinstance(owner, str) else "unknown",
        )
        yield Card(model, _window(fields))


def _created(told: object) -> int:
    if isinstance(told, str):
        try:
            told = float(told) if told.replace(".", "", 1).isdecimal() else datetime.fromisoformat(told).timestamp()
        except ValueError:
            return 0
    if isinstance(told, bool) or not isinstance(told, int | float):
        return 0
    return int(told) if 0 <= told <= _LATEST else 0


def _window(fields: dict[str, Any]) -> int | None:
    meta = fields.get("meta")
    told = [fields.get(name) for name in _WINDOW_FIELDS]
    told += [meta.get(name) for name in _META_WINDOW_FIELDS] if isinstance(meta, dict) else []
    return next((int(number) for number in told if isinstance(number, int | float) and number >= 1), None)
