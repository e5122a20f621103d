"""Tool calls from pieces. Servers number, name and split them in many ways; here they become plain calls.

Some send no ids, some no index, some index 0 for every call, some id and name again with every
piece, some the name late, some the whole arguments in one piece, and some send those as an object.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from runstead.wire.chat import ChunkFunction, ChunkToolCall
from runstead.wire.events import FunctionCallDelta, FunctionPiece
from runstead.wire.run_steps import CalledFunction, FunctionToolCall


class Call:
    """A call that is being written."""

    __slots__ = ("arguments", "id", "index", "name", "upstream_id", "upstream_index")

    def __init__(self, index: int, id: str, name: str, piece: ChunkToolCall) -> None:
        self.index = index
        self.id = id
        self.name = name
        self.upstream_id = piece.id or ""
        self.upstream_index = piece.index
        self.arguments: list[str] = []

    def is_followed_by(self, name: str, arguments: str) -> bool:
        """Whether a piece that seems to go on with this call begins another one under the same id or index."""
        if not name or not self.name:
            return False
        return name != self.name or (bool(arguments) and self._is_whole())

    def _is_whole(self) -> bool:
        try:
            return isinstance(msgspec.json.decode("".join(self.arguments)), dict)
        except (msgspec.DecodeError, UnicodeError):
            return False


class CallPieces:
    """The calls of one answer. `taken` are ids in use; `new_id` names a call whose own id will not do."""

    def __init__(self, taken: Iterable[str], new_id: Callable[[int], str]) -> None:
        self._taken = set(taken)
        self._new_id = new_id
        self.calls: list[Call] = []

    def take(self, piece: ChunkToolCall) -> list[FunctionCallDelta]:
        """Add a piece; the deltas that show it."""
        function = piece.function or ChunkFunction()
        name, arguments = function.name or "", _as_text(function.arguments)
        deltas = []
        call = self._continued(piece, name)
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
        call = Call(index, id, name, piece)
        self.calls.append(call)
        return call

    def _continued(self, piece: ChunkToolCall, name: str) -> Call | None:
        """The call that a piece seems to belong to, or None if it begins one."""
        newest_first = self.calls[::-1]
        if piece.id:
            for call in newest_first:
                if call.upstream_id == piece.id and piece.index in (None, call.upstream_index):
                    return call
            if name:
                return None
        if piece.index is not None:
            return next((call for call in newest_first if call.upstream_index == piece.index), None)
        last = newest_first[0] if newest_first else None
        return None if last is not None and name and last.name else last

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
