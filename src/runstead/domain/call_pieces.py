"""Tool calls from pieces. Servers number, name and split them in many ways; here they become plain calls.

Some send no ids, some no index, some index 0 for every call, some id and name again with every
piece, some the name late, some the whole arguments in one piece, and some send those as an object.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from runstead.domain.wholeness import Wholeness
from runstead.wire.chat import ChunkFunction, ChunkToolCall
from runstead.wire.events import FunctionCallDelta, FunctionPiece
from runstead.wire.run_steps import CalledFunction, FunctionToolCall


class Call:
    """A call that is being written."""

    __slots__ = ("_wholeness", "arguments", "id", "index", "name")

    def __init__(self, index: int, id: str, name: str) -> None:
        self.index = index
        self.id = id
        self.name = name
        self.arguments: list[str] = []
        self._wholeness = Wholeness()

    def is_followed_by(self, name: str, arguments: str) -> bool:
        """Whether a piece that seems to go on with this call begins another one under the same id or index."""
        if not name or not self.name:
            return False
        # Blank arguments begin nothing: some servers end whole ones with a line of their own.
        return name != self.name or (bool(arguments.strip()) and self._wholeness.of(self.arguments))


class CallPieces:
    """The calls of one answer. `taken` are ids in use; `new_id` names a call whose own id will not do."""

    def __init__(self, taken: Iterable[str], new_id: Callable[[int], str]) -> None:
        self._taken = set(taken)
        self._new_id = new_id
        self.calls: list[Call] = []
        # The newest call that the server began with an id, with an index, with both.
        self._by_id: dict[str, Call] = {}
        self._by_index: dict[int, Call] = {}
        self._by_both: dict[tuple[str, int], Call] = {}

    def take(self, piece: ChunkToolCall) -> list[FunctionCallDelta]:
        """Add a piece; the deltas that show it."""
        function = piece.function or ChunkFunction()
        name, arguments = function.name or "", _as_text(function.arguments)
        deltas = []
        call = self._continued(piece, name, arguments)
        if call is None or call.is_followed_by(name, arguments):
            call = self._open(piece, name)
            # API: a call's id and name come once, with empty arguments and a null output.
            opening = FunctionPiece(name=name, arguments="", output=None)
            deltas.append(FunctionCallDelta(index=call.index, id=call.id, function=opening))
        elif name and not call.name:
            # Clients join strings: what was empty so far becomes the name.
            call.name = name
            deltas.append(FunctionCallDelta(index=call.index, function=FunctionPiece(name=name)))
        if arguments:
            call.arguments.append(arguments)
            deltas.append(FunctionCallDelta(index=call.index, function=FunctionPiece(arguments=arguments)))
        return deltas

    def _open(self, piece: ChunkToolCall, name: str) -> Call:
        index = len(self.calls)
        id = piece.id if piece.id and piece.id not in self._taken else self._new_id(index)
        self._taken.add(id)
        call = Call(index, id, name)
        self.calls.append(call)
        if piece.id:
            self._by_id[piece.id] = call
        if piece.index is not None:
            self._by_index[piece.index] = call
        if piece.id and piece.index is not None:
            self._by_both[piece.id, piece.index] = call
        return call

    def _continued(self, piece: ChunkToolCall, name: str, arguments: str) -> Call | None:
        """The call that a piece seems to belong to, or None if it begins one."""
        if piece.id:
            call = self._by_id.get(piece.id) if piece.index is None else self._by_both.get((piece.id, piece.index))
            if call is not None or name:
                return call
        if piece.index is not None:
            return self._by_index.get(piece.index)
        last = self.calls[-1] if self.calls else None
        if last is None or not name or not last.name:
            return last
        is_blank = bool(arguments) and not arguments.strip()
        return last if is_blank and name == last.name else None

    def written(self) -> list[FunctionToolCall]:
        """The calls as far as they are written."""
        return [
            FunctionToolCall(id=call.id, function=CalledFunction(call.name, "".join(call.arguments)))
            for call in self.calls
        ]


def _as_text(arguments: str | dict[str, Any] | None) -> str:
    if isinstance(arguments, dict):
        return msgspec.json.encode(arguments).decode()
    return arguments or ""
