"""What the model is sent: instructions, then the thread with its tool calls, cut to fit the budgets.

A turn (an assistant's words, its calls and their outputs) is never separated; the oldest turns go first.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec
from msgspec import Struct

from runstead.domain import builtin, tool_outputs
from runstead.domain.builtin import BuiltinKind
from runstead.domain.records import RunRecord, StepRecord
from runstead.wire.base import RunId
from runstead.wire.chat import (
    ChatFunction,
    ChatImage,
    ChatImageUrl,
    ChatMessage,
    ChatRequest,
    ChatText,
    ChatToolCall,
)
from runstead.wire.messages import ImageUrlContent, Message, RefusalContent, TextContent
from runstead.wire.run_steps import MessageCreation, ToolCalls
from runstead.wire.runs import Run
from runstead.wire.tools import FunctionTool, JsonObjectFormat, JsonSchemaFormat, NamedToolChoice

Turn = list[ChatMessage]
"""Messages that stay together."""

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")

MESSAGE_OVERHEAD = 8
"""Tokens a message costs beyond its words: roles and separators, generously."""
IMAGE_TOKENS = 1_105
"""Tokens an image is taken to cost: the original's figure for one at high detail."""


class Prompt(Struct, frozen=True):
    """A request that fits, and how many of the thread's oldest messages it leaves out."""

    request: ChatRequest
    left_out: int
    tokens: int


class TooLong(Exception):
    """Not even the newest turn fits the run's own prompt budget."""


class Budget(Struct, frozen=True):
    """Tokens: what the model's window leaves for the prompt, and what the run still allows itself."""

    window: int
    prompt_left: int | None = None
    completion_left: int | None = None


def build(
    record: RunRecord,
    steps: Sequence[StepRecord],
    messages: Sequence[Message],
    earlier_steps: Sequence[StepRecord],
    *,
    older: int,
    budget: Budget,
    count: Callable[[str], int],
    about: Mapping[BuiltinKind, str] | None = None,
) -> Prompt:
    """The next request of a run. `count` counts tokens exactly and is called only when it matters.

    `about` adds to the built-in tools' descriptions what is this server's own. Raises TooLong if the run's max_prompt_tokens cannot be kept.
    """
    run = record.run
    shown = list(messages)
    if run.truncation_strategy.last_messages is not None:
        own = [message for message in shown if message.run_id == run.id]
        others = [message for message in shown if message.run_id != run.id]
        shown = others[-run.truncation_strategy.last_messages :] + own
    left_out = older + len(messages) - len(shown)
    turns = _turns(run, shown, steps, earlier_steps)
    tools = _tools(run, about or {})
    fixed = [ChatMessage(role="system", content=run.instructions)] if run.instructions else []
    kept, tokens = _fit(fixed, turns, tools, budget, count)
    left_out += sum(_is_of_the_thread(message) for turn in turns[: len(turns) - len(kept)] for message in turn)
    prompt = fixed + [message for turn in kept for message in turn]
    if not any(message.role != "system" for message in prompt):
        # Servers refuse a conversation without a message; this one is not stored.
        prompt.append(ChatMessage(role="user", content=""))
    return Prompt(_request(record, prompt, tools, budget), left_out, tokens)


def _is_of_the_thread(message: ChatMessage) -> bool:
    """Whether it is one of the thread's messages, rather than calls alone or their outputs."""
    return message.role != "tool" and message.content is not None


def _request(
    record: RunRecord, messages: list[ChatMessage], tools: list[dict[str, Any]], budget: Budget
) -> ChatRequest:
    run = record.run
    return ChatRequest(
        model=run.model,
        messages=messages,
        tools=tools or None,
        tool_choice=_tool_choice(record) if tools else None,
        parallel_tool_calls=False if tools and not run.parallel_tool_calls else None,
        response_format=_response_format(run),
        # The API's default of 1 stands for "not said": the server's own default is then the better one.
        temperature=None if run.temperature == 1 else run.temperature,
        top_p=None if run.top_p == 1 else run.top_p,
        max_completion_tokens=budget.completion_left,
        reasoning_effort=record.reasoning_effort,
    )


def _tools(run: Run, about: Mapping[BuiltinKind, str]) -> list[dict[str, Any]]:
    functions = [
        {"type": "function", "function": msgspec.to_builtins(tool.function)}
        for tool in run.tools
        if isinstance(tool, FunctionTool)
    ]
    return functions + builtin.offers(run.tools, about)


def _tool_choice(record: RunRecord) -> str | dict[str, Any] | None:
    choice = record.run.tool_choice
    if choice == "none":
        return "none"
    # A forced call is forced once: forced again it would never let the run end.
    if choice == "auto" or record.model_calls > 0:
        return None
    if isinstance(choice, NamedToolChoice):
        return {"type": "function", "function": {"name": _forced(choice, record.run)}}
    return choice


def _forced(choice: NamedToolChoice, run: Run) -> str:
    if choice.type == "function":
        assert choice.function is not None
        return choice.function.name
    return builtin.names(run.tools)[choice.type]


def _response_format(run: Run) -> dict[str, Any] | None:
    match run.response_format:
        case JsonObjectFormat() | JsonSchemaFormat() as wanted:
            return dict(msgspec.to_builtins(wanted))
        case _:
            return None


def _turns(
    run: Run, messages: Sequence[Message], steps: Sequence[StepRecord], earlier: Sequence[StepRecord]
) -> list[Turn]:
    by_run: dict[RunId | None, list[StepRecord]] = {}
    for record in (*earlier, *steps):
        by_run.setdefault(record.step.run_id, []).append(record)
    names = builtin.names(run.tools)
    speakers = {run.id, *(message.run_id for message in messages)}
    silent = [of_run for id, of_run in by_run.items() if id not in speakers and not _has_spoken(of_run)]
    turns: list[Turn] = []
    # A thread is locked while a run writes to it: what one run said stands together.
    for _, group in groupby(messages, key=lambda message: message.run_id or message.id):
        said = list(group)
        # Calls without a word stand where their time puts them; those older than all that is shown are left out.
        while silent and silent[0][-1].step.created_at < said[0].created_at:
            of_run = silent.pop(0)
            turns += _turns_of_run((), of_run, names) if turns else []
        turns += _turns_of_run(said, by_run.get(said[0].run_id, ()), names)
    if not messages or messages[-1].run_id != run.id:
        silent.append(by_run.get(run.id, []))
    for of_run in silent:
        turns += _turns_of_run((), of_run, names)
    return turns


def _has_spoken(steps: Sequence[StepRecord]) -> bool:
    """Whether a run wrote a message, which then tells its place in the thread."""
    return any(record.step.type == "message_creation" for record in steps)


def _turns_of_run(
    messages: Sequence[Message], steps: Sequence[StepRecord], names: Mapping[BuiltinKind, str]
) -> list[Turn]:
    """What one run said and called. Its steps tell which words came with which calls."""
    left = {message.id: message for message in messages}
    turns: list[Turn] = []
    words: Message | None = None
    for record in steps:
        details = record.step.step_details
        if isinstance(details, MessageCreation):
            if words is not None:
                turns.append([_chat_message(words)])
            words = left.pop(details.message_creation.message_id, None)
        else:
            turns += _with_calls(None if words is None else _text(words), details, record, names)
            words = None
    if words is not None:
        turns.append([_chat_message(words)])
    # A message whose step was not read is older than every step that was.
    return [[_chat_message(message)] for message in left.values()] + turns


def _with_calls(
    words: str | None, details: ToolCalls, record: StepRecord, names: Mapping[BuiltinKind, str]
) -> list[Turn]:
    """The turn of a tool_calls step; none at all if a call has no output."""
    turn: Turn = []
    asked: list[ChatToolCall] = []
    for call in details.tool_calls:
        told = tool_outputs.told(call, record.notes.get(call.id), names)
        if told is None:
            return []
        asked.append(ChatToolCall(id=call.id, function=ChatFunction(_sendable(told.name), told.arguments or "{}")))
        turn.append(ChatMessage(role="tool", content=told.output, tool_call_id=call.id))
    return [[ChatMessage(role="assistant", content=words, tool_calls=asked), *turn]] if asked else []


def _sendable(name: str) -> str:
    """A function's name as strict servers take it back, though the model had invented another kind of name."""
    return _NOT_IN_NAMES.sub("_", name)[:64] or "unnamed"


def _text(message: Message) -> str:
    words = []
    for part in message.content:
        if isinstance(part, TextContent):
            words.append(part.text.value)
        elif isinstance(part, RefusalContent):
            words.append(part.refusal)
    return "\n".join(words)


def _chat_message(message: Message) -> ChatMessage:
    images = [part for part in message.content if isinstance(part, ImageUrlContent)]
    if message.role == "assistant" or not images:
        return ChatMessage(role=message.role, content=_text(message))
    parts: list[ChatText | ChatImage] = []
    for part in message.content:
        if isinstance(part, TextContent):
            parts.append(ChatText(part.text.value))
        elif isinstance(part, ImageUrlContent):
            parts.append(ChatImage(ChatImageUrl(part.image_url.url, part.image_url.detail)))
    return ChatMessage(role="user", content=parts)


def _fit(
    fixed: Turn, turns: list[Turn], tools: list[dict[str, Any]], budget: Budget, count: Callable[[str], int]
) -> tuple[list[Turn], int]:
    """As many of the newest turns as the budgets hold, at least one; and what all of it costs."""
    limit = budget.window if budget.prompt_left is None else min(budget.window, budget.prompt_left)
    tools_text = msgspec.json.encode(tools).decode() if tools else ""
    # A token is at least one byte, so a prompt of few bytes fits without being counted.
    at_most = sum(_cost(turn, _bytes) for turn in (fixed, *turns)) + _bytes(tools_text)
    if at_most <= limit:
        return turns, at_most
    used = _cost(fixed, count) + (count(tools_text) if tools_text else 0)
    kept: list[Turn] = []
    for turn in reversed(turns):
        cost = _cost(turn, count)
        # The newest turn may be too long for the window: then the server's own words are the better refusal.
        if kept and used + cost > limit:
            break
        kept.append(turn)
        used += cost
    if budget.prompt_left is not None and used > budget.prompt_left:
        raise TooLong
    return kept[::-1], used


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def _cost(turn: Turn, measure: Callable[[str], int]) -> int:
    cost = 0
    for message in turn:
        cost += MESSAGE_OVERHEAD
        if isinstance(message.content, str):
            cost += measure(message.content)
        for part in message.content if isinstance(message.content, list) else ():
            cost += measure(part.text) if isinstance(part, ChatText) else IMAGE_TOKENS
        for call in message.tool_calls or ():
            cost += MESSAGE_OVERHEAD + measure(call.function.name) + measure(call.function.arguments)
    return cost
