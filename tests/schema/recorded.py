"""What the acceptance tests were answered, as tests/acceptance/recording.py wrote it down."""

import json
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct

FOLDER = "RUNSTEAD_RECORDINGS"
FRAME = re.compile(r"event: (?P<name>[^\n]*)\ndata: (?P<data>[^\n]*)\n\n")


class Recorded(Struct, frozen=True):
    """One answer, or one event of a stream, as it was read."""

    wire: str
    method: str
    path: str
    status: int
    event: str | None
    value: Any

    def __str__(self) -> str:
        return f"{self.wire} {self.method} {self.path} {self.event or self.status}"


@cache
def everything() -> tuple[Recorded, ...]:
    """All that was recorded, what is alike but for ids and times only once."""
    seen: dict[str, Recorded] = {}
    for each in _read():
        key = re.sub(r"_[A-Za-z0-9]{16,}|\b\d{10}\b", "", f"{each} {json.dumps(each.value, sort_keys=True)}")
        seen.setdefault(key, each)
    return tuple(seen.values())


def _read() -> Iterator[Recorded]:
    folder = os.environ.get(FOLDER)
    for path in sorted(Path(folder).glob("*.jsonl")) if folder else ():
        with path.open() as lines:
            for line in lines:
                yield from _of(json.loads(line))


def _of(answer: dict[str, Any]) -> Iterator[Recorded]:
    facts = (answer["wire"], answer["method"], answer["path"], answer["status"])
    if answer["kind"] == "text/event-stream":
        # A reader that left in the middle of an event read no event.
        for frame in FRAME.finditer(re.sub(r"^(id: .*|:.*)\n", "", answer["body"], flags=re.MULTILINE)):
            if frame["data"] != "[DONE]":
                yield Recorded(*facts, frame["name"], json.loads(frame["data"]))
    elif answer["kind"] == "application/json":
        try:
            yield Recorded(*facts, None, json.loads(answer["body"]))
        except ValueError:
            # The client left before the end.
            return
