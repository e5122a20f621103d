"""Streams as readable text, for comparison with the files in golden/.

An object is shown whole when it first appears; after that, only what changed since. Ids are counted through, times
are a word, so two streams of the same behaviour are the same text.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from difflib import unified_diff
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "golden"
ID = re.compile(r"\b(asst|thread|run|step|msg|call)_[A-Za-z0-9]{16,}\b")


def assert_golden(name: str, events: Iterable[Any], **names: str) -> None:
    """Compare a stream with golden/<name>.txt; `names` are further values that differ from run to run.

    A missing file is written, and the test fails: read what was written before you keep it.
    """
    shown = Transcript(names).of(events)
    path = FOLDER / f"{name}.txt"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown)
        raise AssertionError(f"{path} was missing; it was written from what happened.")
    expected = path.read_text()
    if shown != expected:
        raise AssertionError("\n".join(unified_diff(expected.splitlines(), shown.splitlines(), path.name, "shown")))


class Transcript:
    """The text of streams, with names that stay the same from one stream to the next."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = {value: name.upper() for name, value in names.items()}
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._seen: dict[str, dict[str, Any]] = {}

    def of(self, events: Iterable[Any]) -> str:
        return "".join(self._event(event.event, event.data.model_dump(exclude_unset=True)) for event in events)

    def _event(self, name: str, payload: dict[str, Any]) -> str:
        id = payload["id"]
        lines = [f"{name} {self._spoken(id)}"]
        if payload["object"].endswith(".delta"):
            changed = payload["delta"]
        else:
            before, self._seen[id] = self._seen.get(id, {}), payload
            changed = {key: value for key, value in payload.items() if key not in before or before[key] != value}
            lines += [f"    {key} is gone" for key in sorted(before.keys() - payload)]
        lines += [f"    {key}: {self._value(key, value)}" for key, value in sorted(changed.items()) if key != "id"]
        return "\n".join(lines) + "\n"

    def _value(self, key: str, value: Any) -> str:
        if key.endswith("_at") and isinstance(value, int):
            return "TIME"
        return self._spoken(json.dumps(value, ensure_ascii=False, sort_keys=True))

    def _spoken(self, text: str) -> str:
        for value, name in self._names.items():
            text = text.replace(value, name)
        return ID.sub(lambda match: self._name(match[0], match[1]), text)

    def _name(self, id: str, kind: str) -> str:
        if id not in self._names:
            self._counts[kind] += 1
            self._names[id] = f"{kind}_{self._counts[kind]}"
        return self._names[id]
