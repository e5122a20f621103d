import pytest

from runstead.model.embedded_choice import choose_tool
from runstead.wire.chat import ChatFunction, ChatMessage, ChatRequest, ChatToolCall

WEATHER = {"name": "get_weather", "description": "Get the current weather of a city"}
MAIL = {"name": "sendEmail", "description": "Send an e-mail to a person"}
SEARCH = {"name": "file_search", "description": "Search the attached files and documents for a passage"}
TOOLS = [{"type": "function", "function": function} for function in (WEATHER, MAIL, SEARCH)]


def chosen(text, tool_choice=None, after=()):
    messages = [ChatMessage(role="user", content=text), *after]
    function = choose_tool(ChatRequest(model="m", messages=messages, tools=TOOLS, tool_choice=tool_choice))
    return None if function is None else function["name"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("What's the weather in Paris?", "get_weather"),
        ("Please send an email to Ada", "sendEmail"),
        ("Search my documents for the invoice", "file_search"),
        ("call get_weather", "get_weather"),
        ("Hello, how are you?", None),
        ("What is 2+2?", None),
        ("", None),
    ],
)
def test_shared_words_choose_the_tool(text, name):
    assert chosen(text, "auto") == name


@pytest.mark.parametrize(
    ("tool_choice", "name"),
    [
        ("none", None),
        ("required", "get_weather"),
        ({"type": "function", "function": {"name": "sendEmail"}}, "sendEmail"),
    ],
)
def test_a_forced_choice_is_obeyed(tool_choice, name):
    assert chosen("Hello", tool_choice) == name


def test_once_the_result_is_there_the_model_answers():
    call = ChatToolCall(id="c", function=ChatFunction(name="get_weather", arguments="{}"))
    after = [
        ChatMessage(role="assistant", tool_calls=[call]),
        ChatMessage(role="tool", tool_call_id="c", content="18C"),
    ]

    assert chosen("What's the weather?", "auto", after) is None
