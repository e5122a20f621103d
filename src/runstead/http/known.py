"""After a rebuilt beginning: which live events a reader can make sense of."""

from collections.abc import Iterable, Sequence

import msgspec

from runstead.domain.speech import Said
from runstead.wire.events import StreamEvent

_OPENING = ("thread.message.created", "thread.run.step.created")
# A rebuilt beginning has said that much, also where the commit it was read from is announced only now.
_BEGINNING = ("thread.created", "thread.run.created")
_PARTS = ("thread.message.", "thread.run.step.")
_ENDINGS = (".completed", ".incomplete", ".failed", ".cancelled", ".expired")


class _Named(msgspec.Struct):
    id: str


class Known:
    """The messages and steps whose beginning the reader has seen, or will see in full."""

    def __init__(self, told: Iterable[Said]) -> None:
        parts = [(name, payload.id) for name, payload in told if name.startswith(_PARTS)]
        # Told as far as they were written: of their live events at most the end is news.
        self._told = {id for _, id in parts}
        self._ended = {id for name, id in parts if name.endswith(_ENDINGS)}
        self._begun: set[str] = set()
        self.has_withheld = False

    def only_known(self, events: Sequence[StreamEvent]) -> list[StreamEvent]:
        """Without what belongs to messages and steps that began before, or are told already."""
        return [event for event in events if self._is_known(event)]

    def untold(self, said: Iterable[Said]) -> list[Said]:
        """The messages and steps among these of which the reader has seen nothing."""
        seen = self._told | self._begun
        return [(name, payload) for name, payload in said if name.startswith(_PARTS) and payload.id not in seen]

    def _is_known(self, event: StreamEvent) -> bool:
        if not event.name.startswith(_PARTS):
            return event.name not in _BEGINNING
        id = msgspec.json.decode(event.data, type=_Named).id
        if id in self._told:
            return event.name.endswith(_ENDINGS) and id not in self._ended
        if event.name in _OPENING:
            self._begun.add(id)
        elif id not in self._begun:
            self.has_withheld = True
        return id in self._begun
