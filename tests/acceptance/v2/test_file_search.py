"""Runs whose model searches files: what it is told, what its client sees, and what its marks become."""

import json

import pytest
from openai import NOT_GIVEN

from tests.acceptance.scene import Scene, said
from tests.acceptance.scripted import call, calls, text
from tests.acceptance.transcript import assert_golden
from tests.acceptance.v2.stores import stores_of
from tests.acceptance.waiting import eventually

SEARCH = {"type": "file_search"}
CONTENT = "step_details.tool_calls[*].file_search.results[*].content"
FACTS = "The lighthouse of Brindlemoor was built in 1871 by Ada Quillfeather."


def a_store(client, **files: str):
    """A store whose files have been read, and the files' ids by their names."""
    stores = stores_of(client)
    store = stores.create()
    ids = {}
    for name, words in files.items():
        file = client.files.create(file=(f"{name}.txt", words.encode()), purpose="assistants")
        stores.files.create(store.id, file_id=file.id)
        ids[name] = file.id
    eventually(lambda: stores.retrieve(store.id), lambda store: store.file_counts.completed == len(files))
    return store, ids


def searching(query: str, id: str = "call_1"):
    return call("file_search", json.dumps({"query": query}), id)


@pytest.fixture
def store(client):
    return a_store(client, facts=FACTS)


@pytest.fixture
def scene(client, model, store) -> Scene:
    resources = {"file_search": {"vector_store_ids": [store[0].id]}}
    return Scene.open(client, model, "Who built it?", tools=[SEARCH], tool_resources=resources)


def found(scene: Scene, run, include=NOT_GIVEN):
    steps = scene.runs.steps.list(run_id=run.id, thread_id=scene.thread.id, order="asc", include=include)
    [made] = steps.data[0].step_details.tool_calls
    return made.file_search.results


def test_the_stream_of_a_run_that_searches(scene, store):
    # With a word that no file has: a score of 1.0 would look like other numbers.
    scene.model.will(calls(searching("Brindlemoor xylophone")), text("Ada【0:0†source】, I think."))
    events = scene.events()
    [[result]] = [
        event.data.step_details.tool_calls[0].file_search.results
        for event in events
        if event.event == "thread.run.step.completed" and event.data.type == "tool_calls"
    ]
    names = {"store": store[0].id, "file": store[1]["facts"], "score": str(result.score)}
    assert_golden("v2-file-search", events, model=scene.model.name, **names)


def test_the_model_reads_passages_with_marks_and_the_client_gets_citations(scene, store):
    scene.model.will(calls(searching("lighthouse Brindlemoor")), text("So it is: 🗼【0:0†source】 and【5:0†source】."))
    assert scene.run().status == "completed"
    asked, answered = scene.model.requests
    [offered] = asked["tools"]
    assert offered["function"]["name"] == "file_search"
    assert answered["messages"][-1]["content"] == f"【0:0†source】 facts.txt\n{FACTS}"
    message = scene.messages()[-1]
    [annotation] = message.content[0].text.annotations
    assert annotation.type == "file_citation"
    assert annotation.file_citation.file_id == store[1]["facts"]
    assert said(message)[annotation.start_index : annotation.end_index] == annotation.text == "【0:0†source】"


def test_the_text_of_results_is_shown_to_those_who_ask(scene):
    scene.model.will(calls(searching("lighthouse")), text("Ada."))
    run = scene.run()
    [plain] = found(scene, run)
    assert plain.file_name == "facts.txt"
    assert 0 < plain.score <= 1
    assert not plain.content
    [full] = found(scene, run, [CONTENT])
    assert [part.text for part in full.content] == [FACTS]
    step = scene.steps(run)[0]
    one = scene.runs.steps.retrieve(step.id, run_id=run.id, thread_id=scene.thread.id, include=[CONTENT])
    assert one.step_details.tool_calls[0].file_search.results[0].content[0].text == FACTS


@pytest.mark.parametrize("include", [None, [CONTENT]])
def test_a_stream_shows_the_text_of_results_to_those_who_ask(scene, include):
    scene.model.will(calls(searching("lighthouse")), text("Ada."))
    options = {} if include is None else {"include": include}
    [step] = [
        event.data
        for event in scene.events(**options)
        if event.event == "thread.run.step.completed" and event.data.type == "tool_calls"
    ]
    [result] = step.step_details.tool_calls[0].file_search.results
    assert (result.content[0].text if result.content else None) == (FACTS if include else None)


def test_assistant_and_thread_are_searched_together(client, model, store):
    theirs, _ = a_store(client, more="Brindlemoor has a lighthouse keeper called Tove.")
    scene = Scene.open(
        client, model, tools=[SEARCH], tool_resources={"file_search": {"vector_store_ids": [store[0].id]}}
    )
    client.beta.threads.update(scene.thread.id, tool_resources={"file_search": {"vector_store_ids": [theirs.id]}})
    model.will(calls(searching("lighthouse Brindlemoor")), text("Both."))
    run = scene.run()
    assert {result.file_name for result in found(scene, run)} == {"facts.txt", "more.txt"}


def test_options_of_the_tool_are_obeyed(client, model):
    words = {f"part{i}": f"Lighthouse number {i} of Brindlemoor." for i in range(4)}
    store, _ = a_store(client, **words)
    tool = {
        "type": "file_search",
        "file_search": {"max_num_results": 2, "ranking_options": {"ranker": "auto", "score_threshold": 0.0}},
    }
    scene = Scene.open(
        client, model, "Hi", tools=[tool], tool_resources={"file_search": {"vector_store_ids": [store.id]}}
    )
    model.will(calls(searching("lighthouse")), text("Two."))
    run = scene.run()
    assert len(found(scene, run)) == 2
    [step] = [step for step in scene.steps(run) if step.type == "tool_calls"]
    ranking = step.step_details.tool_calls[0].file_search.ranking_options
    assert (ranking.ranker, ranking.score_threshold) == ("default_2024_08_21", 0.0)


def test_a_run_without_a_store_is_told_that_there_is_nothing(client, model):
    scene = Scene.open(client, model, "Hi", tools=[SEARCH])
    model.will(calls(searching("lighthouse")), text("Nothing."))
    run = scene.run()
    assert run.status == "completed"
    assert not found(scene, run)
    assert "no files to search" in model.requests[1]["messages"][-1]["content"]


def test_a_later_run_may_cite_what_an_earlier_one_found(scene, store):
    scene.model.will(calls(searching("lighthouse")), text("Ada."), text("As I said【0:0†source】."))
    assert scene.run().status == "completed"
    scene.say("Where is that from?")
    assert scene.run().status == "completed"
    [annotation] = scene.messages()[-1].content[0].text.annotations
    assert annotation.file_citation.file_id == store[1]["facts"]


def test_a_message_attachment_is_found(client, model):
    scene = Scene.open(client, model, tools=[SEARCH])
    file = client.files.create(file=("notes.txt", b"The password of the harbour is plover."), purpose="assistants")
    client.beta.threads.messages.create(
        scene.thread.id, role="user", content="Read this.", attachments=[{"file_id": file.id, "tools": [SEARCH]}]
    )
    model.will(calls(searching("harbour password")), text("plover【0:0†source】"))
    # Nobody waited for the file: the run does.
    assert scene.run().status == "completed"
    [annotation] = scene.messages()[-1].content[0].text.annotations
    assert annotation.file_citation.file_id == file.id


def test_annotations_of_a_stream_point_at_its_text(scene, store):
    """Offsets count characters of the whole text, and come no earlier than what they point at."""
    answer = "Ünïcödé 🗼🗼 Ada【0:0†source】 built it【9:9†source】, in 1871【0:0†source】."
    scene.model.will(calls(searching("lighthouse Brindlemoor")), text(answer))
    so_far, told = "", []
    for event in scene.start(stream=True):
        if event.event != "thread.message.delta":
            continue
        for part in event.data.delta.content:
            so_far += part.text.value or ""
            for annotation in part.text.annotations or []:
                assert so_far[annotation.start_index : annotation.end_index] == annotation.text
                told.append((annotation.start_index, annotation.end_index, annotation.file_citation.file_id))
    assert so_far == answer
    message = scene.messages()[-1]
    assert said(message) == answer
    kept = [(a.start_index, a.end_index, a.file_citation.file_id) for a in message.content[0].text.annotations]
    assert told == kept
    assert [answer[start:end] for start, end, _ in kept] == ["【0:0†source】"] * 2
    assert {file for _, _, file in kept} == {store[1]["facts"]}


def test_a_model_may_search_several_times(scene, store):
    scene.model.will(
        calls(searching("lighthouse"), searching("Quillfeather", "call_2")),
        calls(searching("Brindlemoor", "call_3")),
        text("One【0:0†source】, two【1:0†source】, three【2:0†source】."),
    )
    run = scene.run()
    assert run.status == "completed"
    assert [len(step.step_details.tool_calls) for step in scene.steps(run) if step.type == "tool_calls"] == [2, 1]
    annotations = scene.messages()[-1].content[0].text.annotations
    assert [annotation.text for annotation in annotations] == ["【0:0†source】", "【1:0†source】", "【2:0†source】"]


def test_what_an_upload_and_its_run_say_at_once_is_found(client, model):
    """The thread's store is still being read when the run begins: the run waits for it."""
    words = " ".join(f"Ship {i} passed the lighthouse." for i in range(3000)) + " The password is plover."
    file = client.files.create(file=("log.txt", words.encode()), purpose="assistants")
    assistant = client.beta.assistants.create(model=model.name, tools=[SEARCH])
    model.will(calls(searching("password plover")), text("plover【0:0†source】"))
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={
            "messages": [{"role": "user", "content": "Read", "attachments": [{"file_id": file.id, "tools": [SEARCH]}]}]
        },
        poll_interval_ms=20,
    )
    assert run.status == "completed"
    assert "The password is plover." in model.requests[1]["messages"][-1]["content"]
    message = client.beta.threads.messages.list(run.thread_id, order="desc").data[0]
    assert message.content[0].text.annotations[0].file_citation.file_id == file.id
