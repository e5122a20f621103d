"""Prompts in the form the embedded model knows: plain text of system, user and assistant; it was never shown a tool."""

from collections.abc import Mapping, Sequence
from typing import Any

from runstead.wire.chat import ChatMessage, ChatRequest, ChatText

MAX_QUESTION = 2000
"""Characters of the user's message that arguments are drawn from. It reads 60 to 80 tokens a second."""


def plain_messages(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """The conversation with calls left out and their results told as text."""
    calls: dict[str, str] = {}
    plain: list[ChatMessage] = []
    for message in messages:
        for call in message.tool_calls or []:
            calls[call.id] = call.function.name
        text = _text(message)
        if message.role == "tool":
            name = calls.get(str(message.tool_call_id), "the tool")
            # Of five ways to put it to the model, this one was used most.
            _append(plain, "user", f"\nAnswer with this result of {name}: {text}")
        elif text or message.role != "assistant":
            _append(plain, message.role, text)
    return plain


def argument_messages(request: ChatRequest, function: Mapping[str, Any]) -> list[ChatMessage]:
    """A short prompt for the arguments of one call."""
    name, description = function.get("name"), str(function.get("description") or "")[:500]
    task = f"Fill in the arguments of the function {name} as JSON. {name}: {description}"
    question = last_user_text(request.messages)[-MAX_QUESTION:]
    return [ChatMessage(role="system", content=task), ChatMessage(role="user", content=question)]


def last_user_text(messages: Sequence[ChatMessage]) -> str:
    """What the user said last; empty if nothing."""
    return next((_text(message) for message in reversed(messages) if message.role == "user"), "")


def _append(plain: list[ChatMessage], role: Any, text: str) -> None:
    if plain and plain[-1].role == role == "user":
        # Two in a row confuse it; several results are one message.
        text = f"{plain.pop().content}\n{text}"
    plain.append(ChatMessage(role=role, content=text))


def _text(message: ChatMessage) -> str:
    if isinstance(message.content, list):
        return "\n".join(part.text if isinstance(part, ChatText) else "[an image]" for part in message.content)
    return message.content or ""
