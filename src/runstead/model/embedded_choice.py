"""Which tool the embedded model calls, if any. A demo heuristic, and documented as one.

The model is too small to choose (it got 2 of 8 right), so words choose for it: a tool is called if its name or
description shares enough of them with the last user message.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from runstead.model.embedded_prompt import last_user_text
from runstead.wire.chat import ChatRequest

NAME_WEIGHT, DESCRIPTION_WEIGHT, ENOUGH = 2, 1, 2
"""One word of the name, or two of the description."""

_WORD = re.compile(r"[^\W\d_]+|\d+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
# Words that say nothing about what a tool is for.
_COMMON_WORDS = """
a about all also an and any are as at be been but by call can could current data do does for from function get
give given has have hello her hey hi him his how i if in into is it its just let like list made make me my need new no
not now of on one or our out please return returns run set she so some take tell than thank that the their them then
there they this to tool up us use user using value want was we what when where which who why will with would you your
"""
_COMMON = frozenset(_COMMON_WORDS.split())


def choose_tool(request: ChatRequest) -> Mapping[str, Any] | None:
    """The function (name, description, parameters) to call now, or None for words."""
    functions = [tool["function"] for tool in request.tools or [] if isinstance(tool.get("function"), dict)]
    choice = request.tool_choice
    if not functions or choice == "none":
        return None
    if isinstance(choice, dict):
        wanted = (choice.get("function") or {}).get("name")
        return next((function for function in functions if function.get("name") == wanted), None)
    best = _best(functions, last_user_text(request.messages))
    if choice == "required":
        return best or functions[0]
    # The results are there: it is time to answer.
    return None if request.messages[-1].role == "tool" else best


def _best(functions: Sequence[Mapping[str, Any]], said: str) -> Mapping[str, Any] | None:
    words = _words(said)
    scores = [_score(function, words, said) for function in functions]
    highest = max(scores)
    return functions[scores.index(highest)] if highest >= ENOUGH else None


def _score(function: Mapping[str, Any], words: set[str], said: str) -> int:
    name = str(function.get("name"))
    if name in said:
        return 10 * ENOUGH
    in_name = _words(_HUMP.sub(" ", name))
    in_description = _words(str(function.get("description") or "")) - in_name
    return NAME_WEIGHT * len(words & in_name) + DESCRIPTION_WEIGHT * len(words & in_description)


def _words(text: str) -> set[str]:
    return {_stem(word) for word in _WORD.findall(text.lower())} - _COMMON


def _stem(word: str) -> str:
    # Enough for cities, sends and searching; a real stemmer would be a dependency for a demo.
    for ending, instead in (("ies", "y"), ("ing", ""), ("es", "e"), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)] + instead
    return word
