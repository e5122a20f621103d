"""Runs whose model writes code: it runs in the real sandbox, and its client sees what the original showed."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest
from openai import OpenAI

from tests.acceptance.conftest import KEY
from tests.acceptance.pictures import LINK, MAKING, files_shown
from tests.acceptance.processes import start_server
from tests.acceptance.scene import WEATHER, Scene, said
from tests.acceptance.scripted import call, calls, text
from tests.acceptance.transcript import assert_golden
from tests.acceptance.waiting import eventually

CODE = {"type": "code_interpreter"}
SANDBOX = {"RUNSTEAD_SANDBOX": "bubblewrap", "RUNSTEAD_SANDBOX_WARM": "0"}


STARTED_ANEW = "[The Python session was started anew: variables and imports of earlier calls are gone, files are not.]"


def connected(server) -> OpenAI:
    return OpenAI(base_url=server.url, api_key=KEY, timeout=60)


@pytest.fixture(scope="module")
def client(scripted, tmp_path_factory) -> Iterator[OpenAI]:
    """A client of a server that may run code."""
    with (
        start_server(tmp_path_factory.mktemp("coding"), scripted.url, **SANDBOX) as server,
        connected(server) as client,
    ):
        yield client
        assert server.stop() == 0
        assert server.complaints == []


@pytest.fixture
def scene(client, model) -> Scene:
    return Scene.open(client, model, "What is 6 times 7?", tools=[CODE])


def running(code: str, id: str = "call_1"):
    return call("code_interpreter", json.dumps({"code": code}), id)


def outputs(scene: Scene, run, place: int = 0):
    [step] = [step for step in scene.steps(run) if step.type == "tool_calls"]
    return step.step_details.tool_calls[place].code_interpreter.outputs


def test_the_stream_of_a_run_that_uses_code(scene):
    scene.model.will(calls(running("print(6 * 7)\n'done'")), text("It is 42."))
    assert_golden("v2-code-interpreter", scene.events(), model=scene.model.name)


def test_the_stream_of_a_plot_and_a_file(scene):
    scene.model.will(calls(running(MAKING)), text(f"Here: {LINK}."))
    events = scene.events()
    assert_golden("v2-plot-and-file", events, model=scene.model.name, **files_shown(events))


def test_the_stream_of_a_turn_that_is_mixed(client, model):
    scene = Scene.open(client, model, "Both?", tools=[CODE, WEATHER])

    def both_streams():
        model.will(
            calls(call("get_weather", '{"city": "Oslo"}', "call_weather"), running("print(1)", "call_code")),
            text("Sunny 1"),
        )
        *before, waiting = scene.events()
        yield from before
        yield waiting
        outputs = [{"tool_call_id": "call_weather", "output": "sunny"}]
        yield from scene.runs.submit_tool_outputs(
            waiting.data.id, thread_id=scene.thread.id, tool_outputs=outputs, stream=True
        )

    assert_golden("v2-mixed-calls", both_streams(), model=scene.model.name)


def test_variables_stay_between_calls_and_runs(scene):
    scene.model.will(
        calls(running("x = 41")),
        calls(running("print(x + 1)", "call_2")),
        text("42"),
        calls(running("print(x)")),
        text("41"),
    )
    first = scene.run()
    assert first.status == "completed"
    second = scene.run()
    assert second.status == "completed"
    assert [output.logs for output in outputs(scene, second)] == ["41\n"]
    assert [message["content"] for message in scene.model.requests[2]["messages"] if message["role"] == "tool"] == [
        "The code ran and printed nothing.",
        "42\n",
    ]


def test_code_is_streamed_as_code_wherever_its_json_is_cut(scene):
    code = 'print("é 😀\\t\\\\", "/")\nprint(len("😀"))'
    arguments = json.dumps({"code": code})
    scene.model.will(calls(call("code_interpreter", arguments), argument_pieces=len(arguments)), text("Done."))
    events = scene.events()
    made = [
        event.data.delta.step_details.tool_calls[0].code_interpreter
        for event in events
        if event.event == "thread.run.step.delta"
    ]
    pieces = [each.input for each in made if each.input]
    assert "".join(pieces) == code
    assert len(pieces) > len(code) / 2
    assert made[-1].outputs[0].logs.endswith("\n1\n")


def test_errors_are_told_to_the_model_as_logs(scene):
    scene.model.will(calls(running("1/0")), text("Sorry."))
    run = scene.run()
    assert run.status == "completed"
    [log] = outputs(scene, run)
    assert "ZeroDivisionError" in log.logs
    assert "ZeroDivisionError" in scene.model.requests[1]["messages"][-1]["content"]


def test_a_file_that_code_makes_can_be_downloaded_by_its_link(scene):
    scene.model.will(
        calls(running("open('/mnt/data/out.csv', 'w').write('a,b\\n1,2\\n')")),
        text("Here: [out.csv](sandbox:/mnt/data/out.csv)."),
    )
    run = scene.run()
    assert run.status == "completed"
    message = scene.messages()[-1]
    [annotation] = message.content[0].text.annotations
    assert annotation.type == "file_path"
    assert (
        said(message)[annotation.start_index : annotation.end_index] == annotation.text == "sandbox:/mnt/data/out.csv"
    )
    [attachment] = message.attachments
    assert attachment.file_id == annotation.file_path.file_id
    file = scene.client.files.retrieve(annotation.file_path.file_id)
    assert (file.purpose, file.filename) == ("assistants_output", "out.csv")
    assert scene.client.files.content(file.id).read() == b"a,b\n1,2\n"


def test_a_cancelled_run_stops_its_code(scene):
    scene.model.will(calls(running("import time\ntime.sleep(600)")), text("Never said."))
    stream = scene.start(stream=True)
    run = None
    for event in stream:
        if event.event == "thread.run.created":
            run = event.data
        if event.event == "thread.run.step.delta":
            # It is stored when the model has said all of it: then its code runs.
            eventually(partial(scene.steps, run))
            scene.runs.cancel(run.id, thread_id=scene.thread.id)
            break
    names = [event.event for event in stream]
    assert names[-2:] == ["thread.run.step.cancelled", "thread.run.cancelled"]
    [step] = scene.steps(run)
    assert step.status == "cancelled"
    scene.model.will(calls(running("print('free')")), text("Free."))
    assert scene.run().status == "completed"


def test_a_forced_interpreter_is_forced_by_its_name(scene):
    scene.model.will(calls(running("1")), text("Done."))
    assert scene.run(tool_choice=CODE).status == "completed"
    forced, free = scene.model.requests
    assert forced["tool_choice"] == {"type": "function", "function": {"name": "code_interpreter"}}
    assert "tool_choice" not in free


def test_stream_helpers_of_the_sdk_see_the_code_and_its_output(scene):
    scene.model.will(calls(running("print(6 * 7)")), text("42"))
    with scene.runs.stream(thread_id=scene.thread.id, assistant_id=scene.assistant.id) as stream:
        stream.until_done()
        [step, _] = stream.get_final_run_steps()
    [made] = step.step_details.tool_calls
    assert made.code_interpreter.input == "print(6 * 7)"
    assert made.code_interpreter.outputs[0].logs == "42\n"


def test_code_whose_server_was_killed_runs_again_in_a_new_session(scripted, model, data_dir):
    # Only the session of the first try knows x, and waits to be killed.
    waiting = "import time\ntry: x\nexcept NameError: print('through')\nelse: time.sleep(50)"
    model.will(calls(running("x = 1")), calls(running(waiting, "call_2")), text("Done."))
    with start_server(data_dir, scripted.url, **SANDBOX) as server, connected(server) as client:
        scene = Scene.open(client, model, "Wait.", tools=[CODE])
        run = scene.start()
        eventually(lambda: scene.steps(run), lambda steps: len(steps) == 2)
        server.kill()
    with start_server(data_dir, scripted.url, **SANDBOX) as server, connected(server) as client:
        scene = replace(scene, client=client)
        assert scene.settled(run).status == "completed"
        first, second, _ = scene.steps(run)
        assert first.step_details.tool_calls[0].code_interpreter.outputs == []
        [log] = second.step_details.tool_calls[0].code_interpreter.outputs
        assert log.logs == f"{STARTED_ANEW}\nthrough\n"
        # Nothing that was stored was asked for again.
        assert len(model.requests) == 3
        assert server.stop() == 0
        assert server.complaints == []
