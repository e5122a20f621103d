"""What the model is sent: instructions, options, tools, and the thread."""

from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI

from tests.acceptance.conftest import KEY
from tests.acceptance.processes import start_server
from tests.acceptance.scene import CLOCK, WEATHER, Scene
from tests.acceptance.scripted import Model, ScriptedServer, call, calls, text

SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "answer",
        "schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
        "strict": True,
    },
}


def test_a_plain_run_sends_the_messages_and_little_else(scene: Scene) -> None:
    scene.run()

    assert scene.model.request == {
        "model": scene.model.name,
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_instructions_come_first_and_additional_ones_after_them(client: OpenAI, model: Model) -> None:
    scene = Scene.open(client, model, "Hello", instructions="Be kind.")

    scene.run()
    scene.run(additional_instructions="The user is called Ada.")
    scene.run(instructions="Be curt.", additional_instructions="The user is called Ada.")

    assert [body["messages"][0] for body in model.requests] == [
        {"role": "system", "content": "Be kind."},
        {"role": "system", "content": "Be kind.\nThe user is called Ada."},
        {"role": "system", "content": "Be curt.\nThe user is called Ada."},
    ]


def test_the_whole_thread_is_told_in_order(scene: Scene) -> None:
    scene.model.will(text("First answer"), text("Second answer"))
    scene.run()
    scene.say("And then?")
    scene.run()

    assert scene.model.requests[1]["messages"] == [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "First answer"},
        {"role": "user", "content": "And then?"},
    ]


def test_additional_messages_join_the_thread_before_the_run(scene: Scene) -> None:
    scene.run(
        additional_messages=[
            {"role": "assistant", "content": "How may I help?"},
            {"role": "user", "content": "Tell me more", "metadata": {"kept": "yes"}},
        ]
    )

    assert scene.model.request["messages"] == [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "How may I help?"},
        {"role": "user", "content": "Tell me more"},
    ]
    messages = scene.messages()
    assert [message.role for message in messages] == ["user", "assistant", "user", "assistant"]
    assert messages[2].metadata == {"kept": "yes"}


def test_an_empty_thread_is_sent_as_one_empty_message_that_is_not_stored(client: OpenAI, model: Model) -> None:
    scene = Scene.open(client, model, instructions="Begin.")
    model.will(text("Once upon a time"))

    scene.run()

    assert model.request["messages"] == [{"role": "system", "content": "Begin."}, {"role": "user", "content": ""}]
    assert len(scene.messages()) == 1


def test_only_the_last_messages_are_sent_if_so_wished(client: OpenAI, model: Model) -> None:
    scene = Scene.open(client, model, "One", "Two", "Three", instructions="Count.")

    run = scene.run(truncation_strategy={"type": "last_messages", "last_messages": 2})

    assert [message["content"] for message in model.request["messages"]] == ["Count.", "Two", "Three"]
    assert run.truncation_strategy.to_dict() == {"type": "last_messages", "last_messages": 2}


def test_images_are_passed_on_as_they_came(scene: Scene) -> None:
    pixel = "data:image/gif;base64,R0lGODlhAQABAAAAACw="
    scene.say(
        [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "https://example.com/cat.png", "detail": "high"}},
            {"type": "image_url", "image_url": {"url": pixel}},
        ]
    )

    scene.run()

    assert scene.model.request["messages"][1]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png", "detail": "high"}},
        {"type": "image_url", "image_url": {"url": pixel, "detail": "auto"}},
    ]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("temperature", 0.2),
        ("temperature", 0),
        ("top_p", 0.4),
        ("reasoning_effort", "low"),
        ("max_completion_tokens", 500),
        ("response_format", {"type": "json_object"}),
        ("response_format", SCHEMA),
    ],
)
def test_an_option_reaches_the_model(scene: Scene, option: str, value: Any) -> None:
    run = scene.run(**{option: value})

    assert run.status == "completed"
    assert scene.model.request[option] == value


@pytest.mark.parametrize(
    ("option", "value"),
    [("temperature", 0.2), ("top_p", 0.4), ("reasoning_effort", "low"), ("response_format", SCHEMA)],
)
def test_an_option_of_the_assistant_reaches_the_model(client: OpenAI, model: Model, option: str, value: Any) -> None:
    scene = Scene.open(client, model, "Hello", **{option: value})

    scene.run()

    assert model.request[option] == value


def test_functions_are_offered_as_they_were_defined(scene_with_tools: Scene) -> None:
    scene_with_tools.run()

    assert scene_with_tools.model.request["tools"] == [WEATHER, CLOCK]


def test_a_run_may_ask_another_model(scene: Scene, scripted: ScriptedServer) -> None:
    other = scripted.model(f"{scene.model.name}-other")
    other.will(text("I am another"))

    run = scene.run(model=other.name)

    assert run.model == other.name
    assert scene.answer == "I am another"
    assert scene.model.calls == []


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "get_time"}}])
def test_a_tool_is_forced_once_and_then_left_to_the_model(scene_with_tools: Scene, choice: Any) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_time")), text("Noon"))

    done = scene.submit(scene.run(tool_choice=choice), get_time="noon")

    first, second = scene.model.requests
    assert first["tool_choice"] == choice
    assert "tool_choice" not in second
    assert done.status == "completed"


def test_tools_can_be_forbidden_for_a_whole_run(scene_with_tools: Scene) -> None:
    scene_with_tools.run(tool_choice="none")

    assert scene_with_tools.model.request["tool_choice"] == "none"


def test_parallel_calls_can_be_forbidden(scene_with_tools: Scene) -> None:
    run = scene_with_tools.run(parallel_tool_calls=False)

    assert run.parallel_tool_calls is False
    assert scene_with_tools.model.request["parallel_tool_calls"] is False


@pytest.fixture(scope="module")
def mapped(scripted: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAI]:
    """A client of a server that calls its models by other names, holds a key, and knows its model's window."""
    settings = {
        "RUNSTEAD_MODEL_MAP": "gpt-4o=mapped-large, *=mapped-small",
        "RUNSTEAD_MODEL_KEY": "sk-upstream",
        "RUNSTEAD_MODEL_WINDOW": "512",
    }
    with (
        start_server(tmp_path_factory.mktemp("mapped"), scripted.url, **settings) as server,
        OpenAI(base_url=server.url, api_key=KEY, timeout=60) as client,
    ):
        yield client
        assert server.complaints == []


@pytest.mark.parametrize(("asked", "served"), [("gpt-4o", "mapped-large"), ("gpt-3.5-turbo", "mapped-small")])
def test_a_mapped_model_is_asked_by_its_own_name_and_shown_by_the_clients(
    mapped: OpenAI, scripted: ScriptedServer, asked: str, served: str
) -> None:
    model = scripted.model(served)
    model.will(text("Fine"))
    scene = Scene.open(mapped, scripted.model(asked), "Hello")

    run = scene.run()

    assert (run.status, run.model) == ("completed", asked)
    [received] = model.calls
    assert received["body"]["model"] == served
    assert received["headers"]["Authorization"] == "Bearer sk-upstream"


def test_a_thread_longer_than_the_models_window_loses_its_oldest_messages(
    mapped: OpenAI, scripted: ScriptedServer
) -> None:
    model = scripted.model("mapped-small")
    model.will(text("Fine"))
    scene = Scene.open(mapped, model, *(f"{n} " + "word " * 150 for n in range(6)), instructions="Be brief.")

    run = scene.run()

    sent = [message["content"][:9] for message in model.request["messages"]]
    assert run.status == "completed"
    assert sent == ["Be brief.", "4 word wo", "5 word wo"]
