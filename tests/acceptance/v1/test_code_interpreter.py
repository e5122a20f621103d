"""Runs whose model writes code, as clients of the first era see them."""

import json
from collections.abc import Iterator

import pytest
from openai import OpenAI

from tests.acceptance.conftest import KEY
from tests.acceptance.pictures import LINK, MAKING, files_shown
from tests.acceptance.processes import start_server
from tests.acceptance.scene import Scene
from tests.acceptance.scripted import call, calls, text
from tests.acceptance.transcript import assert_golden


@pytest.fixture(scope="module")
def client(scripted, tmp_path_factory) -> Iterator[OpenAI]:
    """A client of a server that may run code."""
    settings = {"RUNSTEAD_SANDBOX": "bubblewrap", "RUNSTEAD_SANDBOX_WARM": "0"}
    with (
        start_server(tmp_path_factory.mktemp("coding"), scripted.url, **settings) as server,
        OpenAI(base_url=server.url, api_key=KEY, timeout=60) as connected,
    ):
        yield connected
        assert server.stop() == 0
        assert server.complaints == []


@pytest.fixture
def scene(client, model) -> Scene:
    return Scene.open(client, model, "What is 6 times 7?", tools=[{"type": "code_interpreter"}])


def running(code: str, id: str = "call_1"):
    return call("code_interpreter", json.dumps({"code": code}), id)


def test_the_stream_of_a_run_that_uses_code(scene):
    scene.model.will(calls(running("print(6 * 7)")), text("It is 42."))
    assert_golden("v1-code-interpreter", scene.events(), model=scene.model.name)


def test_the_stream_of_a_plot_and_a_file(scene):
    scene.model.will(calls(running(MAKING)), text(f"Here: {LINK}."))
    events = scene.events()
    assert_golden("v1-plot-and-file", events, model=scene.model.name, **files_shown(events))


def test_a_file_that_code_makes_is_a_file_of_the_message(scene):
    scene.model.will(
        calls(running("open('/mnt/data/out.csv', 'w').write('a,b')")), text("[out.csv](sandbox:/mnt/data/out.csv)")
    )
    assert scene.run().status == "completed"
    message = scene.messages()[-1]
    [annotation] = message.content[0].text.annotations
    assert annotation.type == "file_path"
    assert message.file_ids == [annotation.file_path.file_id]
    assert scene.client.files.content(message.file_ids[0]).read() == b"a,b"


def test_steps_show_the_code_and_its_output(scene):
    scene.model.will(calls(running("print(6 * 7)")), text("42"))
    [step, _] = scene.steps(scene.run())
    [made] = step.step_details.tool_calls
    assert (made.type, made.code_interpreter.input) == ("code_interpreter", "print(6 * 7)")
    assert made.code_interpreter.outputs[0].logs == "42\n"
