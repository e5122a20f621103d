"""The built-in tools that this server can run; a tool without its ports is not among them."""

from collections.abc import Iterable

from runstead.domain.builtin import BuiltinKind
from runstead.domain.records import CallNotes
from runstead.domain.tool_turn import BuiltinCall, Performed
from runstead.tools.code_interpreter import CodeInterpreterTool
from runstead.tools.file_search import FileSearchTool
from runstead.tools.surroundings import Surroundings
from runstead.wire.run_steps import CodeInterpreterToolCall


class Toolbox:
    """Performs calls by their kind. Those of tools that are not here are never asked for: see turn.next_action."""

    def __init__(
        self, *, code_interpreter: CodeInterpreterTool | None = None, file_search: FileSearchTool | None = None
    ) -> None:
        self._code_interpreter = code_interpreter
        self._file_search = file_search
        self.able: frozenset[str] = frozenset(
            kind
            for kind, tool in (("code_interpreter", code_interpreter), ("file_search", file_search))
            if tool is not None
        )

    async def about(self, kinds: Iterable[BuiltinKind], around: Surroundings) -> dict[BuiltinKind, str]:
        """What there is to say of these tools here and now in particular. Raises ToolFailed, or Unavailable."""
        if "code_interpreter" not in kinds or self._code_interpreter is None:
            return {}
        return {"code_interpreter": await self._code_interpreter.about(around)}

    async def perform(self, call: BuiltinCall, notes: CallNotes, around: Surroundings) -> Performed:
        """Do what a call asks for. Raises ToolFailed, or Unavailable."""
        if isinstance(call, CodeInterpreterToolCall):
            assert self._code_interpreter is not None
            return await self._code_interpreter.perform(call, around)
        assert self._file_search is not None
        return await self._file_search.perform(call, notes, around)
