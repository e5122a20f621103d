"""What the model is told that a call came to, in this turn and whenever it is reminded of it later."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from runstead.domain.builtin import BuiltinKind
from runstead.domain.records import CallNotes
from runstead.wire.run_steps import (
    CodeInterpreterToolCall,
    FileSearchResult,
    FileSearchToolCall,
    FunctionToolCall,
    ImageOutput,
    LogOutput,
    ToolCall,
)

NOTHING_PRINTED = "The code ran and printed nothing."
NOTHING_FOUND = "No passage was found. Other words may find one, or the files do not speak of it."
DRAWN = "[A figure was drawn. It is shown to the user below your answer.]"
NO_NOTES = CallNotes()


class Told(Struct, frozen=True):
    """A call as a model is reminded of it: what it wrote, and what came back."""

    name: str
    arguments: str
    output: str


def told(call: ToolCall, notes: CallNotes | None, names: Mapping[BuiltinKind, str]) -> Told | None:
    """The call and its output; None if it never got one. `names` are those that built-in tools bear now."""
    notes = notes or NO_NOTES
    match call:
        case FunctionToolCall(function=function):
            return None if function.output is None else Told(function.name, function.arguments, function.output)
        case CodeInterpreterToolCall():
            name = names.get("code_interpreter", "code_interpreter")
            return Told(name, _json(code=call.code_interpreter.input), of_code(call, notes)) if notes.is_done else None
        case FileSearchToolCall():
            name = names.get("file_search", "file_search")
            return Told(name, _json(query=notes.query or ""), of_search(call, notes)) if notes.is_done else None


def of_code(call: CodeInterpreterToolCall, notes: CallNotes) -> str:
    """What the code printed and left behind."""
    words: list[str] = []
    for output in call.code_interpreter.outputs:
        match output:
            case LogOutput(logs=logs):
                words.append(logs)
            case ImageOutput():
                words.append(DRAWN)
    if notes.files:
        links = ", ".join(f"sandbox:/mnt/data/{path}" for path in notes.files)
        words.append(f"[Files that the user can get by a link in your answer: {links}]")
    return "\n".join(words) or NOTHING_PRINTED


def of_search(call: FileSearchToolCall, notes: CallNotes) -> str:
    """The passages, each under the mark by which it is cited."""
    if notes.error is not None:
        return notes.error
    results = call.file_search.results or []
    return "\n\n".join(_passage(notes.number, place, result) for place, result in enumerate(results)) or NOTHING_FOUND


def mark(search: int, place: int) -> str:
    """How a passage is cited."""
    return f"【{search}:{place}†source】"


def _passage(search: int, place: int, result: FileSearchResult) -> str:
    words = "\n".join(part.text for part in result.content or ())
    return f"{mark(search, place)} {result.file_name}\n{words}"


def _json(**arguments: str) -> str:
    return msgspec.json.encode(arguments).decode()
