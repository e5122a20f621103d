"""Runs with the first era's `retrieval` tool: files of the assistant are found, and citations quote them."""

import json

import pytest

from tests.acceptance.scene import Scene, said
from tests.acceptance.scripted import call, calls, text
from tests.acceptance.transcript import assert_golden
from tests.acceptance.waiting import eventually

FACTS = "The lighthouse of Brindlemoor was built in 1871 by Ada Quillfeather."


def searching(query: str, id: str = "call_1"):
    return call("file_search", json.dumps({"query": query}), id)


@pytest.fixture
def file(client):
    return client.files.create(file=("facts.txt", FACTS.encode()), purpose="assistants")


@pytest.fixture
def scene(client, model, file) -> Scene:
    scene = Scene.open(client, model, "Who built it?", tools=[{"type": "retrieval"}], file_ids=[file.id])
    until_found(scene)
    return scene


def until_found(scene: Scene) -> None:
    """Wait until the assistant's file has been read; this era has no word for that."""
    client = scene.client

    def try_it() -> bool:
        thread = client.beta.threads.create()
        scene.model.will(calls(searching("lighthouse")), text("Found."))
        run = client.beta.threads.runs.create(thread_id=thread.id, assistant_id=scene.assistant.id)
        scene.settled(run)
        return "Quillfeather" in scene.model.requests[-1]["messages"][-1]["content"]

    eventually(try_it)


def test_the_stream_of_a_run_that_retrieves(scene, file):
    scene.model.will(calls(searching("lighthouse")), text("Ada【0:0†source】."))
    assert_golden("v1-retrieval", scene.events(), model=scene.model.name, file=file.id)


def test_a_citation_quotes_the_file(scene, file):
    scene.model.will(calls(searching("lighthouse")), text("Ada【0:0†source】."))
    run = scene.run()
    assert run.status == "completed"
    message = scene.messages()[-1]
    [annotation] = message.content[0].text.annotations
    assert (annotation.file_citation.file_id, annotation.file_citation.quote) == (file.id, FACTS)
    assert said(message)[annotation.start_index : annotation.end_index] == "【0:0†source】"
    [step, _] = scene.steps(run)
    [made] = step.step_details.tool_calls
    assert (made.type, made.retrieval) == ("retrieval", {})


def test_retrieval_can_be_forced(scene):
    scene.model.will(calls(searching("lighthouse")), text("Ada."))
    assert scene.run(extra_body={"tool_choice": {"type": "retrieval"}}).status == "completed"
    assert scene.model.requests[0]["tool_choice"] == {"type": "function", "function": {"name": "file_search"}}
