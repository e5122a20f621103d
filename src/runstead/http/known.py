"""After a rebuilt beginning: which live events a reader can make sense of."""

from collections.abc import Iterable, Sequence

import msgspec

from runstead.domain.speech import Said
from runstead.wire.events import StreamEvent

_OPENING = ("thread.message.created", "thread.run.step.created")


class _Named(msgspec.Struct):
    id: str


class Known:
    """The messages and steps whose beginning the reader has seen, or will see in full."""

    def __init__(self, told: Iterable[Said]) -> None:
        told = list(told)
        self._open: set[str] = {payload.id for name, payload in told if name in _OPENING}
        # Told whole already: their live events would tell them twice.
        self._closed = {
            payload.id for name, payload in told if name.endswith((".completed", ".incomplete", ".failed", ".expired"))
        }

    def only_known(self, events: Sequence[StreamEvent]) -> list[StreamEvent]:
        """Without what belongs to messages and steps that began before, or are told already."""
        return [event for event in events if self._is_known(event)]

    def _is_known(self, event: StreamEvent) -> bool:
        if not event.name.startswith(("thread.message.", "thread.run.step.")):
            return True
        id = msgspec.json.decode(event.data, type=_Named).id
        if event.name in _OPENING and id not in self._open:
            self._open.add(id)
            return True
        return id in self._open and id not in self._closed and event.name not in _OPENING
