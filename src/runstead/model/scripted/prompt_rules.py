"""What a strict server refuses, so that a mistake in a prompt fails a test instead of passing unseen."""

from typing import Any

ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})


def violation(request: dict[str, Any]) -> str | None:
    """The first rule that a request breaks, as a sentence, or None."""
    if not isinstance(request.get("model"), str) or not request["model"]:
        return "you must provide a model parameter"
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        return "[] is too short - 'messages'"
    return _broken_message(messages) or _broken_tools(request)


def _broken_message(messages: list[Any]) -> str | None:
    unanswered: set[str] = set()
    for place, message in enumerate(messages):
        where = f"messages.[{place}]"
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            return f"'{where}.role' must be one of {', '.join(sorted(ROLES))}"
        role = message["role"]
        if role == "tool":
            answered = message.get("tool_call_id")
            if answered not in unanswered:
                return (
                    f"Invalid parameter: '{where}' with role 'tool' must be a response to a preceding message with "
                    f"'tool_calls' (tool_call_id {answered!r} was not called, or was answered already)."
                )
            unanswered.discard(answered)
        elif unanswered:
            return _unanswered(unanswered)
        broken = _broken_content(message, where)
        if broken is not None:
            return broken
        for call in message.get("tool_calls") or []:
            if not isinstance(call, dict) or not call.get("id") or not (call.get("function") or {}).get("name"):
                return f"'{where}.tool_calls' must each have an id and a function with a name"
            if not isinstance(call["function"].get("arguments"), str):
                return f"'{where}.tool_calls.function.arguments' must be a string"
            unanswered.add(call["id"])
    return _unanswered(unanswered) if unanswered else None


def _unanswered(ids: set[str]) -> str:
    return (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        f"The following tool_call_ids did not have response messages: {', '.join(sorted(ids))}"
    )


def _broken_content(message: dict[str, Any], where: str) -> str | None:
    content = message.get("content")
    if content is None:
        if message["role"] == "assistant" and (message.get("tool_calls") or message.get("refusal")):
            return None
        return f"Invalid value for 'content': expected a string, got null. ('{where}')"
    if isinstance(content, list) and not content:
        return f"Invalid '{where}.content': empty array. Expected an array with minimum length 1."
    if not isinstance(content, str | list):
        return f"Invalid type for '{where}.content': expected a string or an array."
    if "tool_calls" in message and not message["tool_calls"]:
        return f"Invalid '{where}.tool_calls': empty array. Expected an array with minimum length 1."
    return None


def _broken_tools(request: dict[str, Any]) -> str | None:
    tools = request.get("tools")
    if tools is None:
        for field in ("tool_choice", "parallel_tool_calls"):
            if request.get(field) is not None:
                return f"Invalid value for '{field}': '{field}' is only allowed when 'tools' are specified."
        return None
    if not isinstance(tools, list) or not tools:
        return "Invalid 'tools': empty array. Expected an array with minimum length 1."
    names = [(tool.get("function") or {}).get("name") if isinstance(tool, dict) else None for tool in tools]
    if not all(isinstance(name, str) and name for name in names):
        return "Missing required parameter: 'tools[0].function.name'."
    if len(set(names)) < len(names):
        return f"Tool names must be unique, got {sorted(map(str, names))}"
    choice = request.get("tool_choice")
    if isinstance(choice, dict) and (choice.get("function") or {}).get("name") not in names:
        return "Invalid value for 'tool_choice': it names a function that is not in 'tools'."
    return None
