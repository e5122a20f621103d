"""What the model is sent for a run over v1."""

import pytest

from tests.acceptance.scene import Scene
from tests.acceptance.scripted import call, calls, text


def test_instructions_messages_and_options_reach_the_model(client, model) -> None:
    scene = Scene.open(client, model, "Hello", instructions="Be kind.")

    scene.run(
        additional_instructions="Be brief.",
        additional_messages=[{"role": "user", "content": "How are you?"}],
        temperature=0.2,
        max_completion_tokens=300,
        response_format={"type": "json_object"},
    )

    assert model.request == {
        "model": model.name,
        "messages": [
            {"role": "system", "content": "Be kind.\nBe brief."},
            {"role": "user", "content": "Hello"},
            {"role": "user", "content": "How are you?"},
        ],
        "temperature": 0.2,
        "max_completion_tokens": 300,
        "response_format": {"type": "json_object"},
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_response_format_of_none_asks_for_nothing(scene) -> None:
    run = scene.run(response_format="none")

    assert run.status == "completed"
    assert "response_format" not in scene.model.request


def test_only_the_last_messages_are_sent_if_so_wished(client, model) -> None:
    scene = Scene.open(client, model, "One", "Two", "Three")

    scene.run(truncation_strategy={"type": "last_messages", "last_messages": 1})

    assert model.request["messages"] == [{"role": "user", "content": "Three"}]


def test_a_later_run_is_told_what_was_called_and_said(scene_with_tools) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_time", id="call_t")), text("Noon"), text("Still noon"))
    scene.submit(scene.run(), get_time="noon")
    scene.say("Sure?")

    scene.run()

    assert [(each["role"], each["content"]) for each in scene.model.requests[2]["messages"]] == [
        ("user", "Weather and time in Oslo?"),
        ("assistant", None),
        ("tool", "noon"),
        ("assistant", "Noon"),
        ("user", "Sure?"),
    ]


@pytest.mark.parametrize("dialect", ["openai", "vllm", "ollama", "llama.cpp", "litellm"])
def test_any_servers_calls_and_words_look_the_same(scene_with_tools, dialect) -> None:
    scene = scene_with_tools
    scene.model.will(
        calls(call("get_weather"), call("get_time", '{"zone": "CET"}'), text="Let me look.", dialect=dialect),
        text("Sunny at noon", dialect=dialect, reasoning="Easy."),
    )

    waiting = scene.run()
    done = scene.submit(waiting, get_weather="sunny", get_time="noon")

    assert [message.content[0].text.value for message in scene.messages()[1:]] == ["Let me look.", "Sunny at noon"]
    assert [step.type for step in scene.steps(done)] == ["message_creation", "tool_calls", "message_creation"]
    assert done.usage.total_tokens > 0
