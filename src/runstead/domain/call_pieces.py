"""Tool calls from pieces. Servers number, name and split them in many ways; here they become plain calls.

Some send no ids, some no index, some index 0 for every call, some the id again with every piece,
some the whole arguments in one piece, and some send those as an object.
"""

from collections.abc import Callable, Iterable

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


class CallPieces:
    """The calls of one answer. `taken` are ids in use; `new_id` names a call whose own id will not do."""

    def __init__(self, taken: Iterable[str], new_id: Callable[[int], str]) -> None:
        self._taken = set(taken)
        self._new_id = new_id
        self.calls: list[Call] = []

    def take(self, piece: ChunkToolCall) -> list[FunctionCallDelta]:
        """Add a piece; the deltas that show it."""
        function = piece.function or ChunkFunction()
        arguments = function.arguments or ""
        if not isinstance(arguments, str):
            arguments = msgspec.json.encode(arguments).decode()
        deltas = []
        call = self._continued(piece, function.name)
        if call is None:
            call = self._open(piece, function.name or "")
            # API: a call's id and name come once, with empty arguments and a null output.
            opening = FunctionPiece(name=call.name, arguments="", output=None)
            deltas.append(FunctionCallDelta(index=call.index, id=call.id, function=opening))
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

    def _continued(self, piece: ChunkToolCall, name: str | None) -> Call | None:
        """The call that a piece belongs to, or None if it begins one."""
        if piece.id:
            for call in self.calls:
                if call.upstream_id == piece.id and (piece.index is None or piece.index == call.upstream_index):
                    return call
            if name:
                return None
        if piece.index is not None:
            same = [call for call in self.calls if call.upstream_index == piece.index]
            if same:
                return same[-1]
        if name or not self.calls:
            return None
        return self.calls[-1]

    def written(self) -> list[FunctionToolCall]:
        """The calls as far as they are written."""
        return [
            FunctionToolCall(id=call.id, function=CalledFunction(call.name, "".join(call.arguments)))
            for call in self.calls
        ]
