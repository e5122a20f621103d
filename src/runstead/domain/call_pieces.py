"""Tool calls from pieces. Servers number, name and split them in many ways; here they become plain calls.

Some send no ids, some no index, some index 0 for every call, some id and name again with every
piece, some the name late, some the whole arguments in one piece, and some send those as an object.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from runstead.domain.builtin import BuiltinKind
from runstead.domain.code_input import CodeInput
from runstead.domain.wholeness import Wholeness
from runstead.wire.chat import ChunkFunction, ChunkToolCall
from runstead.wire.events import (
    CodeInterpreterDelta,
    CodePiece,
    FileSearchDelta,
    FunctionCallDelta,
    FunctionPiece,
)

CallDelta = FunctionCallDelta | CodeInterpreterDelta | FileSearchDelta


class Call:
    """A call that is being written. `kind` is the built-in tool that its name stands for."""

    __slots__ = ("_code", "_wholeness", "arguments", "id", "index", "kind", "name")

    def __init__(self, index: int, id: str, name: str) -> None:
        self.index = index
        self.id = id
        self.name = name
        self.kind: BuiltinKind | None = None
        self.arguments: list[str] = []
        self._wholeness = Wholeness()
        self._code = CodeInput()

    @property
    def code(self) -> str:
        """The code that was shown so far, if it is a call of the code interpreter."""
        return self._code.text

    def opened(self) -> CallDelta:
        """The delta that begins it. API: a call's id comes once, with everything empty."""
        match self.kind:
            case "code_interpreter":
                return CodeInterpreterDelta(index=self.index, id=self.id, code_interpreter=CodePiece("", []))
            case "file_search":
                return FileSearchDelta(index=self.index, id=self.id)
            case None:
                piece = FunctionPiece(name=self.name, arguments="", output=None)
                return FunctionCallDelta(index=self.index, id=self.id, function=piece)

    def grown(self, arguments: str) -> CallDelta | None:
        """The delta that shows more arguments, if there is anything to show."""
        match self.kind:
            case "code_interpreter":
                code = self._code.take(arguments)
                return CodeInterpreterDelta(index=self.index, code_interpreter=CodePiece(code)) if code else None
            case "file_search":
                return None
            case None:
                return FunctionCallDelta(index=self.index, function=FunctionPiece(arguments=arguments))

    def is_followed_by(self, name: str, arguments: str) -> bool:
        """Whether a piece that seems to go on with this call begins another one under the same id or index."""
        if not name or not self.name:
            return False
        # Blank arguments begin nothing: some servers end whole ones with a line of their own.
        return name != self.name or (bool(arguments.strip()) and self._wholeness.of(self.arguments))


class CallPieces:
    """The calls of one answer. `taken` are ids in use; `new_id` names a call whose own id will not do.

    `builtin` are the built-in tools by their names. Where there are some, a call without a name yet is not shown, nor
    is any that follows it: whose call it is decides how it looks, and clients have to be shown calls in order.
    """

    def __init__(
        self, taken: Iterable[str], new_id: Callable[[int], str], builtin: Mapping[str, BuiltinKind] | None = None
    ) -> None:
        self._taken = set(taken)
        self._new_id = new_id
        self._builtin = builtin or {}
        self.calls: list[Call] = []
        # How many of them are shown.
        self._shown = 0
        # The newest call that the server began with an id, with an index, with both.
        self._by_id: dict[str, Call] = {}
        self._by_index: dict[int, Call] = {}
        self._by_both: dict[tuple[str, int], Call] = {}

    def take(self, piece: ChunkToolCall) -> list[CallDelta]:
        """Add a piece; the deltas that show it."""
        function = piece.function or ChunkFunction()
        name, arguments = function.name or "", _as_text(function.arguments)
        deltas: list[CallDelta] = []
        call = self._continued(piece, name, arguments)
        if call is None or call.is_followed_by(name, arguments):
            call = self._open(piece, name)
        elif name and not call.name:
            call.name = name
            if call.index < self._shown:
                # Clients join strings: what was empty so far becomes the name.
                deltas.append(FunctionCallDelta(index=call.index, function=FunctionPiece(name=name)))
        is_shown = call.index < self._shown
        if arguments:
            call.arguments.append(arguments)
            if is_shown and (delta := call.grown(arguments)) is not None:
                deltas.append(delta)
        if not is_shown:
            deltas += self._show(lambda waiting: bool(waiting.name) or not self._builtin)
        return deltas

    def finish(self) -> list[CallDelta]:
        """The deltas of calls that were never named: the answer is over, and nobody will."""
        return self._show(lambda _: True)

    def _show(self, may_be: Callable[[Call], bool]) -> list[CallDelta]:
        """Show the next calls with all that they hold, up to one that may not be shown."""
        deltas: list[CallDelta] = []
        for call in self.calls[self._shown :]:
            if not may_be(call):
                break
            call.kind = self._builtin.get(call.name)
            self._shown += 1
            deltas.append(call.opened())
            deltas += [delta for piece in call.arguments if (delta := call.grown(piece)) is not None]
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


def _as_text(arguments: str | dict[str, Any] | None) -> str:
    if isinstance(arguments, dict):
        return msgspec.json.encode(arguments).decode()
    return arguments or ""
