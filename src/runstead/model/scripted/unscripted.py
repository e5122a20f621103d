"""What a model says that nobody wrote a script for: an echo, a call it is told to make, or a benchmark's chunks.

`instant-100` answers a hundred text chunks in one write, `paced-20-100` the same with 20 ms between chunks.
"""

import re
from functools import lru_cache
from typing import Any

from runstead.model.scripted.shapes import frames
from runstead.model.scripted.turns import ScriptedCall, Turn

_INSTANT = re.compile(r"instant(?:-(\d+))?")
_PACED = re.compile(r"paced-(\d+)-(\d+)")
_CALL = re.compile(r"call (?P<name>[\w.-]+)(?: (?P<arguments>\{.*\}))?", re.DOTALL)


def benchmark(model: str) -> tuple[list[bytes], float] | None:
    """The frames of a benchmark model and the gap between them in seconds; None for other models."""
    if match := _INSTANT.fullmatch(model):
        return [b"".join(_frames(model, int(match[1] or 100)))], 0.0
    if match := _PACED.fullmatch(model):
        return _frames(model, int(match[2])), int(match[1]) / 1000
    return None


def unscripted(request: dict[str, Any]) -> Turn:
    """A deterministic answer to the last message."""
    last = request["messages"][-1]
    said = _text(last.get("content"))
    if last["role"] == "tool":
        return Turn(text=f"The tool answered: {said}")
    call = _CALL.search(said) if request.get("tools") and last["role"] == "user" else None
    if call is not None:
        return Turn(tool_calls=[ScriptedCall(call["name"], call["arguments"] or "{}")])
    return Turn(text=f"Echo: {said}")


@lru_cache(maxsize=32)
def _frames(model: str, chunks: int) -> list[bytes]:
    # Built once: a benchmark must not pay for its own upstream.
    request = {"model": model, "messages": [], "stream_options": {"include_usage": True}}
    turn = Turn(text=" word" * chunks, pieces=chunks, usage={"prompt_tokens": 1, "completion_tokens": chunks})
    return [*frames(turn, request, 1), b"data: [DONE]\n\n"]


def _text(content: object) -> str:
    if isinstance(content, list):
        return " ".join(part.get("text", "") for part in content if isinstance(part, dict))
    return str(content or "")
