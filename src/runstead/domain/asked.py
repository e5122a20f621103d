"""A call as the model wrote it becomes a call of a step: a user's function, a built-in tool, or a mistake to tell of."""

import json
from collections.abc import Set as AbstractSet
from typing import Any

from runstead.domain.builtin import BuiltinKind
from runstead.domain.call_pieces import Call
from runstead.domain.records import CallNotes
from runstead.wire.run_steps import (
    CalledFunction,
    CodeInterpreter,
    CodeInterpreterToolCall,
    FileSearch,
    FileSearchToolCall,
    FunctionToolCall,
    LogOutput,
    ToolCall,
)

_FORMS: dict[BuiltinKind, str] = {"code_interpreter": '{"code": "…"}', "file_search": '{"query": "…"}'}


def as_written(call: Call) -> ToolCall:
    """The call as far as it is written, whether it makes sense or not."""
    match call.kind:
        case "code_interpreter":
            return CodeInterpreterToolCall(id=call.id, code_interpreter=CodeInterpreter(call.code, []))
        case "file_search":
            return FileSearchToolCall(id=call.id)
        case None:
            return FunctionToolCall(id=call.id, function=CalledFunction(call.name, "".join(call.arguments)))


def judged(call: Call, number: int, known: AbstractSet[str]) -> tuple[ToolCall, CallNotes | None]:
    """A call that is written to its end, and the notes of one of a built-in tool.

    What cannot be performed has its error for an output. `number` is what the call gets if it is a search;
    `known` are the names of all tools that the model was offered.
    """
    written = as_written(call)
    match written:
        case CodeInterpreterToolCall():
            if _member(call, "code") is not None:
                return written, CallNotes()
            told = CodeInterpreter(call.code, [LogOutput(_wrong_arguments("code_interpreter"))])
            return CodeInterpreterToolCall(id=call.id, code_interpreter=told), CallNotes(is_done=True)
        case FileSearchToolCall():
            query = _member(call, "query")
            if query is not None and query.strip():
                return written, CallNotes(query=query, number=number)
            notes = CallNotes(is_done=True, number=number, query=query or "", error=_wrong_arguments("file_search"))
            return FileSearchToolCall(id=call.id, file_search=FileSearch(results=[])), notes
        case FunctionToolCall(function=function):
            if function.name in known:
                return written, None
            names = ", ".join(sorted(known)) or "none"
            words = f"Error: there is no tool named '{function.name}'. Available tools: {names}."
            answered = CalledFunction(function.name, function.arguments, words)
            return FunctionToolCall(id=call.id, function=answered), None


def _wrong_arguments(kind: BuiltinKind) -> str:
    return f"Error: the arguments were not understood. They have to be a JSON object of this form: {_FORMS[kind]}"


def _member(call: Call, name: str) -> str | None:
    """A member of the arguments that has to be a string; None if there is none."""
    try:
        # Not strict: many models break lines within a string, and what they mean is plain.
        arguments: Any = json.loads("".join(call.arguments), strict=False)
    except (ValueError, RecursionError):
        return None
    value = arguments.get(name) if isinstance(arguments, dict) else None
    return _storable(value) if isinstance(value, str) else None


def _storable(text: str) -> str:
    """Without what no store keeps: U+0000 and halves of surrogate pairs."""
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
