"""The servers people have: every run looks the same, whatever shape their chunks have."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from tests.acceptance.conftest import KEY
from tests.acceptance.processes import start_server
from tests.acceptance.scene import CLOCK, Scene, pending
from tests.acceptance.scripted import Model, ScriptedServer, call, calls, text

DIALECTS = ["openai", "vllm", "ollama", "llama.cpp", "litellm"]
every_dialect = pytest.mark.parametrize("dialect", DIALECTS)


@every_dialect
def test_text_arrives_whole_with_its_usage(scene: Scene, dialect: str) -> None:
    scene.model.will(text("One two three", dialect=dialect))

    events = scene.events()

    run = events[-1].data
    words = [event.data.delta.content[0].text.value for event in events if event.event == "thread.message.delta"]
    assert (run.status, scene.answer) == ("completed", "One two three")
    assert "".join(words) == "One two three"
    # The scripted server counts words.
    assert run.usage.to_dict() == {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}


@every_dialect
def test_a_call_is_answered(scene_with_tools: Scene, dialect: str) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_weather", '{"city": "Oslo"}'), dialect=dialect), text("Sunny", dialect=dialect))

    waiting = scene.run()
    done = scene.submit(waiting, get_weather="sunny")

    [asked] = pending(waiting)
    assert (asked.function.name, asked.function.arguments) == ("get_weather", '{"city": "Oslo"}')
    assert asked.id
    assert (done.status, scene.answer) == ("completed", "Sunny")


@every_dialect
def test_parallel_calls_keep_their_arguments_apart(scene_with_tools: Scene, dialect: str) -> None:
    scene = scene_with_tools
    scene.model.will(
        calls(
            call("get_weather", '{"city": "Oslo"}'),
            call("get_weather", '{"city": "Rome"}'),
            call("get_time", '{"zone": "CET"}'),
            dialect=dialect,
        ),
        text("Done", dialect=dialect),
    )

    waiting = scene.run()
    done = scene.submit(waiting, get_weather="sunny", get_time="noon")

    assert [(each.function.name, each.function.arguments) for each in pending(waiting)] == [
        ("get_weather", '{"city": "Oslo"}'),
        ("get_weather", '{"city": "Rome"}'),
        ("get_time", '{"zone": "CET"}'),
    ]
    assert len({each.id for each in pending(waiting)}) == 3
    assert done.status == "completed"


@every_dialect
def test_rounds_of_calls_with_words_between_them_come_to_an_end(scene_with_tools: Scene, dialect: str) -> None:
    scene = scene_with_tools
    scene.model.will(
        calls(call("get_weather"), text="First the weather.", dialect=dialect),
        calls(call("get_time"), text="Now the time.", dialect=dialect),
        text("Done", dialect=dialect),
    )

    second = scene.submit(scene.run(), get_weather="sunny")
    done = scene.submit(second, get_time="noon")

    assert done.status == "completed"
    assert [message.content[0].text.value for message in scene.messages()[1:]] == [
        "First the weather.",
        "Now the time.",
        "Done",
    ]


@every_dialect
def test_a_forced_call_is_one_whatever_the_finish_reason_says(scene_with_tools: Scene, dialect: str) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_time"), dialect=dialect), text("Noon", dialect=dialect))

    waiting = scene.run(tool_choice={"type": "function", "function": {"name": "get_time"}})

    assert waiting.status == "requires_action"
    assert scene.submit(waiting, get_time="noon").status == "completed"


@every_dialect
def test_reasoning_is_not_shown_as_the_answer(scene: Scene, dialect: str) -> None:
    scene.model.will(text("Forty-two", reasoning="They want a number.", dialect=dialect))

    events = scene.events()

    assert events[-1].data.status == "completed"
    assert scene.answer == "Forty-two"
    assert not any("number" in event.model_dump_json() for event in events)


@pytest.fixture
def fresh(scripted: ScriptedServer, data_dir: Path) -> Iterator[OpenAI]:
    """A client of a server that has learnt nothing yet about the server behind it."""
    with (
        start_server(data_dir, scripted.url) as server,
        OpenAI(base_url=server.url, api_key=KEY, timeout=60) as client,
    ):
        yield client


def test_fields_that_a_server_does_not_take_are_left_out_from_then_on(fresh: OpenAI, model: Model) -> None:
    scene = Scene.open(fresh, model, "Hello", tools=[CLOCK])
    refused = ["stream_options", "max_completion_tokens", "parallel_tool_calls", "reasoning_effort"]
    model.will(text("Fine"), text("Still fine"), refuse=refused)

    options = {"parallel_tool_calls": False, "reasoning_effort": "low", "max_completion_tokens": 300}
    runs = [scene.run(**options), scene.run(**options)]

    assert [run.status for run in runs] == ["completed", "completed"]
    *attempts, second_last, last = [received["body"] for received in model.calls]
    assert len(attempts) == len(refused)
    for body in (second_last, last):
        assert not body.keys() & set(refused)
        assert body["max_tokens"] == 300
