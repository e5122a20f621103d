"""A turn as the chunks, or the whole completion, that a server of its dialect would send."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import UNSET

from runstead.model.scripted.dialects import DIALECTS
from runstead.model.scripted.turns import ScriptedCall, Turn

CREATED = 1_760_000_000


def frames(turn: Turn, request: dict[str, Any], number: int) -> list[bytes]:
    """What is written to the wire, piece by piece, without the end mark. `number` makes ids unique."""
    if turn.raw is not None:
        return [turn.raw.encode("utf-8", "surrogatepass")]
    if turn.chunks is not None:
        return [chunk.encode() if isinstance(chunk, str) else _data(chunk) for chunk in turn.chunks]
    return [_data(chunk) for chunk in _chunks(turn, request, number)]


def completion(turn: Turn, request: dict[str, Any], number: int) -> dict[str, Any]:
    """The same answer as one JSON completion."""
    calls = [_call(turn, call, number, place) for place, call in enumerate(turn.tool_calls)]
    message: dict[str, Any] = {"role": "assistant", "content": turn.text, "refusal": turn.refusal}
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(turn, request)}
    answer = {**_envelope(turn, request, number), "object": "chat.completion", "choices": [choice]}
    if turn.usage is not None:
        answer["usage"] = _usage(turn, request)
    return answer


def _chunks(turn: Turn, request: dict[str, Any], number: int) -> Iterator[dict[str, Any]]:
    dialect = DIALECTS[turn.dialect]
    envelope = _envelope(turn, request, number)
    usage_wanted = _usage_wanted(turn, request)
    if dialect.null_usage and usage_wanted:
        envelope["usage"] = None

    def chunk(delta: dict[str, Any], finish: str | None = None, **extra: object) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, **dialect.choice, **extra}
        if finish is not None or not dialect.omits_null_finish:
            choice["finish_reason"] = finish
        return {**envelope, "choices": [choice]}

    deltas = list(_deltas(turn, number))
    if dialect.role == "own_chunk":
        content = None if turn.tool_calls and turn.text is None else dialect.first_content
        yield chunk({"role": "assistant", "content": content})
    for place, delta in enumerate(deltas):
        if dialect.role == "every_chunk":
            yield chunk({"role": "assistant", "content": "", **delta})
        elif dialect.role == "first_chunk" and place == 0:
            yield chunk({**delta, "role": "assistant"})
        else:
            yield chunk(delta)
    last = chunk(dialect.finish_delta, _finish_reason(turn, request), **dialect.finish)
    if usage_wanted and turn.usage_on_finish:
        last["usage"] = _usage(turn, request)
    yield last
    if usage_wanted and not turn.usage_on_finish:
        yield {
            **envelope,
            "choices": dialect.usage_choices,
            "usage": _usage(turn, request),
            **dialect.usage_extra,
        }


def _deltas(turn: Turn, number: int) -> Iterator[dict[str, Any]]:
    dialect = DIALECTS[turn.dialect]
    for piece in _cut(turn.reasoning or "", None):
        yield {dialect.reasoning_field: piece}
    for piece in _cut(turn.text or "", turn.pieces):
        yield {"content": piece}
    for piece in _cut(turn.refusal or "", None):
        yield {"refusal": piece}
    for place, scripted in enumerate(turn.tool_calls):
        call = _call(turn, scripted, number, place)
        if turn.indexed:
            call["index"] = place
        if dialect.whole_calls:
            yield {"tool_calls": [call]}
            continue
        yield {"tool_calls": [{**call, "function": {"name": scripted.name, "arguments": ""}}]}
        for piece in _equal_parts(scripted.arguments, turn.argument_pieces):
            rest: dict[str, Any] = {"function": {"arguments": piece}}
            yield {"tool_calls": [{"index": place, **rest} if turn.indexed else rest]}


def _call(turn: Turn, call: ScriptedCall, number: int, place: int) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    if not turn.identified:
        return {"type": "function", "function": function}
    prefix = DIALECTS[turn.dialect].call_id_prefix
    return {"id": call.id or f"{prefix}{number:08d}{place}", "type": "function", "function": function}


def _envelope(turn: Turn, request: dict[str, Any], number: int) -> dict[str, Any]:
    dialect = DIALECTS[turn.dialect]
    envelope: dict[str, Any] = {
        "id": f"{dialect.id_prefix}{number}",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": request.get("model"),
    }
    if dialect.fingerprint is not None:
        envelope["system_fingerprint"] = dialect.fingerprint
    return envelope


def _finish_reason(turn: Turn, request: dict[str, Any]) -> str:
    if turn.finish_reason is not None:
        return turn.finish_reason
    named = isinstance(request.get("tool_choice"), dict)
    if turn.tool_calls and not (named and DIALECTS[turn.dialect].named_calls_stop):
        return "tool_calls"
    return "stop"


def _usage_wanted(turn: Turn, request: dict[str, Any]) -> bool:
    if turn.usage is UNSET:
        options = request.get("stream_options")
        return isinstance(options, dict) and options.get("include_usage") is True
    return turn.usage is not None


def _usage(turn: Turn, request: dict[str, Any]) -> dict[str, Any]:
    if isinstance(turn.usage, dict):
        return turn.usage
    # Words stand for tokens: a test can count them.
    prompt = sum(len(str(message.get("content") or "").split()) for message in request["messages"])
    answer = sum(len(text.split()) for text in (turn.reasoning, turn.text, turn.refusal) if text)
    answer += sum(1 + len(call.arguments.split()) for call in turn.tool_calls)
    return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}


def _cut(text: str, pieces: int | None) -> list[str]:
    if not text:
        return []
    if pieces is None:
        words = text.split(" ")
        return [word if place == 0 else f" {word}" for place, word in enumerate(words)]
    return _equal_parts(text, pieces)


def _equal_parts(text: str, pieces: int) -> list[str]:
    edges = [len(text) * place // pieces for place in range(pieces + 1)]
    return [text[start:end] for start, end in pairwise(edges) if start < end]


def _data(chunk: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"
