"""The real embedded model, where it is installed. Structure is judged and never wording: it is a tiny model."""

import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import platformdirs
import pytest
import pytest_asyncio
from msgspec.structs import replace

from runstead.domain.errors import ModelFailed
from runstead.model import weights
from runstead.model.embedded import EmbeddedModel
from runstead.wire.chat import ChatFunction, ChatMessage, ChatRequest, ChatToolCall
from tests.contract.model.conftest import Heard

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["c", "f"]}},
            "required": ["city", "unit"],
        },
    },
}
LIST = {"type": "function", "function": {"name": "list_orders", "description": "List the orders"}}

# A data folder that `runstead model prepare` filled, or the weights' file itself.
PLACE = Path(os.environ.get("RUNSTEAD_TEST_WEIGHTS") or platformdirs.user_data_path("runstead"))
MISSING = None if PLACE.is_file() else weights.what_is_missing(PLACE)
pytestmark = [
    pytest.mark.skipif(MISSING is not None, reason=f"RUNSTEAD_TEST_WEIGHTS: {MISSING}"),
    # One process for all tests: it takes 380 MB and a second to load.
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("embedded model"),
]


def embedded() -> EmbeddedModel:
    return EmbeddedModel(PLACE, weights_file=PLACE if PLACE.is_file() else None, threads=1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model() -> AsyncIterator[EmbeddedModel]:
    running = embedded()
    running.start()
    yield running
    await running.close()


def user(text: str) -> ChatMessage:
    return ChatMessage(role="user", content=text)


async def hear(model: EmbeddedModel, *messages: ChatMessage, **fields: Any) -> Heard:
    request = ChatRequest(model="gpt-4o", messages=list(messages), temperature=0.0, **fields)
    return Heard([chunk async for batch in model.stream(request) for chunk in batch])


async def test_it_answers_to_every_name_in_several_chunks(model):
    heard = await hear(model, user("Say hello."), max_completion_tokens=12)

    assert heard.text
    assert len(heard.chunks) > 3
    assert heard.finish_reasons in (["stop"], ["length"])
    assert heard.usage is not None
    assert heard.usage.completion_tokens


@pytest.mark.parametrize(
    "tool_choice", ["auto", "required", {"type": "function", "function": {"name": "get_weather"}}], ids=str
)
async def test_a_call_has_arguments_that_keep_to_the_schema(model, tool_choice):
    heard = await hear(model, user("What's the weather in Paris?"), tools=[LIST, WEATHER], tool_choice=tool_choice)

    arguments = json.loads(heard.arguments)
    assert heard.names == ["get_weather"]
    assert heard.finish_reasons == ["tool_calls"]
    assert isinstance(arguments["city"], str)
    assert arguments["unit"] in {"c", "f"}


async def test_a_tool_without_parameters_is_called_without_any(model):
    heard = await hear(model, user("List my orders"), tools=[LIST, WEATHER])

    assert (heard.names, heard.arguments) == (["list_orders"], "{}")


@pytest.mark.parametrize("fields", [{"tool_choice": "none"}, {}], ids=["none", "nothing in common"])
async def test_otherwise_it_speaks(model, fields):
    text = "What's the weather?" if fields else "Hello!"
    heard = await hear(model, user(text), tools=[WEATHER], max_completion_tokens=5, **fields)

    assert heard.text
    assert heard.calls == []


async def test_after_a_result_it_speaks(model):
    call = ChatToolCall(id="c", function=ChatFunction(name="get_weather", arguments="{}"))
    messages = [
        user("What's the weather in Paris?"),
        ChatMessage(role="assistant", tool_calls=[call]),
        ChatMessage(role="tool", tool_call_id="c", content="18 degrees, sunny"),
    ]

    assert (await hear(model, *messages, tools=[WEATHER], max_completion_tokens=5)).text


async def test_a_response_format_is_kept_to(model):
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer"}},
        "required": ["name", "age"],
    }
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema}}

    heard = await hear(model, user("Ada is 36."), response_format=form, max_completion_tokens=80)

    assert json.loads(heard.text).keys() == {"name", "age"}


async def test_a_prompt_beyond_the_window_is_an_invalid_prompt(model):
    window = await model.window("any")

    with pytest.raises(ModelFailed) as failed:
        await hear(model, user("word " * (window + 100)))

    assert failed.value.code == "invalid_prompt"
    assert f"({window} tokens)" in failed.value.message


async def test_it_is_listed_and_checked(model):
    assert [card.id for card in await model.list_models()] == [weights.NAME]
    assert weights.NAME in await model.check()


async def test_leaving_frees_it_for_the_next_caller(model):
    request = ChatRequest(model="m", messages=[user("Tell me a very long story.")])
    for _ in range(3):
        async with aclosing(model.stream(request)) as story:
            await anext(story)

    assert (await hear(model, user("Hi"), max_completion_tokens=3)).text


async def test_a_dead_child_is_replaced_and_the_call_is_made_again(model):
    child = await model._process.ready()
    child.process.send_signal(signal.SIGKILL)

    assert (await hear(model, user("Hi"), max_completion_tokens=3)).text
    assert (await model._process.ready()).process.pid != child.process.pid


async def test_a_child_that_dies_in_mid_answer_fails_the_call_and_says_nothing_twice(model):
    async with aclosing(model.stream(ChatRequest(model="m", messages=[user("Tell me a long story.")]))) as story:
        await anext(story)
        (await model._process.ready()).process.send_signal(signal.SIGKILL)
        with pytest.raises(ModelFailed, match="died while it answered"):
            async for _ in story:
                pass


async def test_the_child_gets_no_secrets_and_no_descriptors(model, monkeypatch):
    monkeypatch.setenv("RUNSTEAD_MODEL_KEY", "sk-a-secret")
    other = embedded()
    child = await other._running().ready()
    process = Path(f"/proc/{child.process.pid}")

    assert b"sk-a-secret" not in (process / "environ").read_bytes()
    assert b"sk-a-secret" not in (process / "cmdline").read_bytes()
    await other.close()
    assert child.process.returncode is not None


async def test_weights_that_cannot_be_loaded_are_said_so(tmp_path):
    broken = tmp_path / "weights.gguf"
    broken.write_bytes(b"no weights")
    model = EmbeddedModel(tmp_path, weights_file=broken, threads=1)

    with pytest.raises(ModelFailed, match="does not start"):
        await hear(model, user("Hi"))
    await model.close()


async def test_missing_weights_are_said_with_the_ways_out(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "FILE", replace(weights.FILE, package="a_package_nobody_has_installed"))
    model = EmbeddedModel(tmp_path)

    model.start()
    for asked in (hear(model, user("Hi")), model.check(), model.list_models()):
        with pytest.raises(ModelFailed, match="RUNSTEAD_MODEL_URL"):
            await asked
    await model.close()
