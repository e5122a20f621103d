"""The scripted server is strict, so that a wrong prompt fails a test."""

import pytest

from runstead.model.scripted.prompt_rules import violation

USER = {"role": "user", "content": "hi"}
CALLS = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "1"}


@pytest.mark.parametrize(
    "messages", [[USER], [USER, CALLS, RESULT], [USER, CALLS, RESULT, USER], [USER, CALLS, RESULT, CALLS, RESULT]]
)
def test_a_proper_conversation_passes(messages):
    assert violation({"model": "m", "messages": messages}) is None


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        ({"messages": [USER]}, "model"),
        ({"model": "m", "messages": []}, "messages"),
        ({"model": "m", "messages": [{"role": "user", "content": None}]}, "content"),
        ({"model": "m", "messages": [{"role": "user", "content": []}]}, "content"),
        ({"model": "m", "messages": [{"role": "robot", "content": "x"}]}, "role"),
        ({"model": "m", "messages": [USER, RESULT]}, "tool_calls"),
        ({"model": "m", "messages": [USER, CALLS]}, "did not have response messages: c"),
        ({"model": "m", "messages": [USER, CALLS, USER, RESULT]}, "did not have response messages: c"),
        ({"model": "m", "messages": [USER, CALLS, RESULT, RESULT]}, "tool_calls"),
        ({"model": "m", "messages": [USER], "tools": []}, "tools"),
        ({"model": "m", "messages": [USER], "tool_choice": "auto"}, "tool_choice"),
        ({"model": "m", "messages": [USER], "tools": [{"type": "function"}]}, "name"),
    ],
)
def test_a_broken_one_is_refused_by_name(request_, named):
    assert named in str(violation(request_))
