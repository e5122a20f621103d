from runstead.model.embedded_prompt import argument_messages, plain_messages
from runstead.wire.chat import (
    ChatFunction,
    ChatImage,
    ChatImageUrl,
    ChatMessage,
    ChatRequest,
    ChatText,
    ChatToolCall,
)

CALL = ChatToolCall(id="c", function=ChatFunction(name="get_weather", arguments="{}"))


def test_calls_are_left_out_and_results_are_told_as_text():
    plain = plain_messages(
        [
            ChatMessage(role="system", content="Be brief."),
            ChatMessage(role="user", content="Weather?"),
            ChatMessage(role="assistant", tool_calls=[CALL]),
            ChatMessage(role="tool", tool_call_id="c", content="18C"),
        ]
    )

    assert [message.role for message in plain] == ["system", "user"]
    assert "get_weather: 18C" in str(plain[-1].content)
    assert all(isinstance(message.content, str) for message in plain)


def test_parts_become_text():
    parts: list[ChatText | ChatImage] = [ChatText("Look:"), ChatImage(image_url=ChatImageUrl(url="data:,"))]

    assert plain_messages([ChatMessage(role="user", content=parts)])[0].content == "Look:\n[an image]"


def test_the_prompt_for_arguments_is_short_however_long_the_conversation():
    messages = [ChatMessage(role="user", content="word " * 10_000)] * 3

    prompt = argument_messages(ChatRequest(model="m", messages=messages), {"name": "f", "description": "d" * 10_000})

    assert sum(len(str(message.content)) for message in prompt) < 3000
