"""Requests that are unusual and yet right, or wrong in an unusual place."""

import threading

import pytest

from tests.acceptance.scripted import call, calls, text
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.drama import Drama, outputs
from tests.acceptance.wire.talk import Answer, Api, Raw, request

MEGABYTE = "x" * 2**20


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/models?limit=1000&order=foo"),
        ("POST", "/threads?limit=zz"),
        ("GET", "/assistants?include[]=x"),
        ("GET", "/models?" + "&".join(f"a{i}=1" for i in range(200))),
    ],
)
def test_parameters_that_an_operation_does_not_have_are_ignored(api: Api, method, path):
    assert api.send(method, path).status == 200


def test_what_may_be_included_is_a_matter_of_v2(drama: Drama):
    drama.model.will(text("Hello"))
    run = drama.ended(drama.start()["id"])
    path = f"{drama.path}/runs/{run['id']}/steps?include[]=x"
    assert drama.api.send("GET", path).status == 400
    assert drama.api.send("GET", path, OpenAI_Beta="assistants=v1").status == 200


def test_a_version_may_stand_in_the_second_of_two_headers(api: Api):
    thread = api.post("/threads")["id"]
    with Raw(api.url) as raw:
        headers = (b"OpenAI-Beta: realtime=v1", b"OpenAI-Beta: assistants=v1")
        raw.send(request(b"GET", f"/v1/threads/{thread}".encode(), b"", *headers))
        assert "tool_resources" not in raw.read().json


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/threads/runs", {"assistant_id": "foo"}, "assistant_id"),
        (
            "/threads",
            {"messages": [{"role": "user", "content": "x", "attachments": [{"file_id": "abc"}]}]},
            "messages[0].attachments[0].file_id",
        ),
    ],
)
def test_an_id_of_another_kind_is_told_by_its_beginning(api: Api, path, body, param):
    answer = api.send("POST", path, body)
    assert answer.status == 400
    assert (answer.error["param"], answer.error["code"]) == (param, "invalid_value")
    assert "Expected an ID that begins with" in answer.message


def test_a_fault_inside_the_thread_is_named_where_it_stands(drama: Drama):
    resources = {"code_interpreter": {"file_ids": ["file-x"]}}
    body = {"assistant_id": drama.assistant, "thread": {"tool_resources": resources}}
    answer = drama.api.send("POST", "/threads/runs", body)
    assert answer.error["param"] == "thread.tool_resources.code_interpreter.file_ids[0]"


def test_a_megabyte_in_the_wrong_place_does_not_come_back(drama: Drama):
    drama.model.will(calls(call("look")))
    run = drama.rested(drama.start()["id"])
    unknown = drama.api.send("POST", "/threads/runs", {"assistant_id": f"asst_{MEGABYTE}"})
    wrong = {"tool_outputs": [{"tool_call_id": MEGABYTE, "output": ""}] * 3}
    refused = drama.api.send("POST", f"{drama.path}/runs/{run['id']}/submit_tool_outputs", wrong)
    assert (unknown.status, refused.status) == (404, 400)
    assert len(unknown.body) + len(refused.body) < 2_000


def test_the_head_of_a_stream_is_not_served(drama: Drama):
    drama.model.will(text("Hello"))
    run = drama.ended(drama.start()["id"])
    assert drama.api.send("HEAD", f"{drama.path}/runs/{run['id']}/stream").status == 405


def test_a_model_cannot_be_deleted(api: Api):
    model = api.get("/models")["data"][0]["id"]
    assert api.send("DELETE", f"/models/{model}").status == 400
    assert api.send("DELETE", "/models/nobody/knows/it").status == 404


def test_the_same_outputs_sent_at_once_are_taken_once(drama: Drama):
    for _ in range(20):
        drama.model.will(calls(call("look")), text("Seen."))
        run = drama.rested(drama.start()["id"])
        answers: list[Answer] = []

        def submit(run=run, answers=answers):
            path = f"{drama.path}/runs/{run['id']}/submit_tool_outputs"
            answers.append(drama.api.send("POST", path, outputs(run)))

        senders = [threading.Thread(target=submit) for _ in range(4)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        assert sorted(answer.status for answer in answers) == [200, 400, 400, 400]
        assert {"do not accept tool outputs" in a.message for a in answers if a.status == 400} == {True}
        drama.ended(run["id"])


def test_outputs_that_come_after_the_deadline_are_refused(starter, model):
    drama = Drama.open(Api(starter(RUNSTEAD_RUN_EXPIRES_AFTER="2").url), model)
    model.will(calls(call("look")), text("Too late."))
    run = drama.rested(drama.start()["id"])
    path = f"{drama.path}/runs/{run['id']}/submit_tool_outputs"
    refused = eventually(lambda: drama.api.send("POST", path, {"tool_outputs": []}), lambda a: "expired" in a.message)
    assert refused.message == 'Runs in status "expired" do not accept tool outputs.'
    assert drama.ended(run["id"])["status"] == "expired"


def test_metadata_given_to_a_run_that_executes_is_in_its_later_events(drama: Drama):
    drama.model.will(text("one two three", hold_before=2))
    body = {"assistant_id": drama.assistant, "metadata": {"k": "old"}}
    with drama.api.stream(f"{drama.path}/runs", body) as stream:
        run = stream.until("thread.run.created").json
        drama.model.wait(held=1)
        drama.api.post(f"{drama.path}/runs/{run['id']}", {"metadata": {"k": "new"}})
        drama.model.release()
        assert stream.until("thread.run.completed").json["metadata"] == {"k": "new"}
    assert drama.run(run["id"])["metadata"] == {"k": "new"}


def test_a_call_without_a_name_is_answered_like_any_unknown_one(drama: Drama):
    drama.model.will(calls(call("")), calls(call("multi tool.use")), text("Done."))
    run = drama.ended(drama.start()["id"])
    assert run["status"] == "completed"
    names = [
        part["function"]["name"]
        for message in drama.model.requests[-1]["messages"]
        for part in message.get("tool_calls", [])
    ]
    assert names == ["unnamed", "multi_tool_use"]


def test_a_number_of_messages_without_its_type_cuts_nothing(drama: Drama):
    for words in ("A", "B"):
        drama.api.post(f"{drama.path}/messages", {"role": "user", "content": words})
    drama.model.will(text("Hello"))
    run = drama.ended(drama.start(truncation_strategy={"type": "auto", "last_messages": 1})["id"])
    assert run["truncation_strategy"] == {"type": "auto", "last_messages": None}
    assert len(drama.model.request["messages"]) == 3


def test_v1_is_told_of_the_models_own_limit_in_words(drama: Drama):
    drama.model.will(text("Hello", finish_reason="length"))
    run = drama.ended(drama.start()["id"])
    shown = drama.api.send("GET", f"{drama.path}/runs/{run['id']}", OpenAI_Beta="assistants=v1").json
    assert shown["status"] == "failed"
    assert shown["last_error"]["message"].endswith("the model's own limit of tokens.")
