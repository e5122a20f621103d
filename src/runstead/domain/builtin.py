"""The built-in tools as a model sees them: functions among the user's own, with a name, a use and parameters."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from runstead.wire.tools import CodeInterpreterTool, FileSearchTool, FunctionTool, Tool

BuiltinKind = Literal["code_interpreter", "file_search"]

_MARK_OF_OURS = "builtin_"

# What a model needs to know to use the tool well; what this server's Python can do is added to the first.
_USES: dict[BuiltinKind, str] = {
    "code_interpreter": (
        "Runs Python code and returns what it prints, the value of its last expression, and its errors. Use it to "
        "calculate, to work with data and files, and to draw. Variables, imports and files last for the rest of the "
        "conversation. The user's files are in /mnt/data. Figures that are shown appear below your answer by "
        "themselves. To give the user any other file, save it in /mnt/data and link to it in your answer in the form "
        "[name](sandbox:/mnt/data/name)."
    ),
    "file_search": (
        "Searches the files that belong to this conversation and returns the passages that fit best. Search with a "
        "few telling words or one whole question, in the language of the files; search again with other words if the "
        "passages do not answer it. Each passage begins with a mark such as 【0:2†source】. Wherever your answer relies "
        "on a passage, copy that passage's mark, unchanged, right behind the statement."
    ),
}
_PARAMETERS: dict[BuiltinKind, dict[str, Any]] = {
    "code_interpreter": {
        "type": "object",
        "properties": {"code": {"type": "string", "description": "The Python code to run."}},
        "required": ["code"],
        "additionalProperties": False,
    },
    "file_search": {
        "type": "object",
        "properties": {"query": {"type": "string", "description": "What to search for."}},
        "required": ["query"],
        "additionalProperties": False,
    },
}


def kind_of(tool: Tool) -> BuiltinKind | None:
    """Which built-in tool it is; None for a user's function."""
    match tool:
        case CodeInterpreterTool():
            return "code_interpreter"
        case FileSearchTool():
            return "file_search"
        case _:
            return None


def names(tools: Sequence[Tool]) -> dict[BuiltinKind, str]:
    """What the model calls each built-in tool: its own name, unless a function of the user's bears it."""
    kinds = [kind for tool in tools if (kind := kind_of(tool)) is not None]
    if not kinds:
        return {}
    taken = {tool.function.name for tool in tools if isinstance(tool, FunctionTool)}
    named: dict[BuiltinKind, str] = {}
    for kind in dict.fromkeys(kinds):
        named[kind] = _free_name(kind, taken)
        taken.add(named[kind])
    return named


def _free_name(kind: BuiltinKind, taken: set[str]) -> str:
    name: str = kind
    number = 1
    while name in taken:
        name = f"{_MARK_OF_OURS}{kind}" if number == 1 else f"{_MARK_OF_OURS}{kind}_{number}"
        number += 1
    return name


def offers(tools: Sequence[Tool], about: Mapping[BuiltinKind, str]) -> list[dict[str, Any]]:
    """The built-in tools of a run as functions; `about` adds what is to be said of this server's own."""
    return [
        {
            "type": "function",
            "function": {
                "name": name,
                "description": "\n".join(words for words in (_USES[kind], about.get(kind)) if words),
                "parameters": _PARAMETERS[kind],
            },
        }
        for kind, name in names(tools).items()
    ]
