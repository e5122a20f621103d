"""`Idempotency-Key`: a request that is sent again has its effect once, and is answered as before."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.acceptance.scripted import call, calls, text
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.drama import Drama, Starter, outputs
from tests.acceptance.wire.forms import upload
from tests.acceptance.wire.talk import Answer, Api


@pytest.fixture
def text_file(api: Api) -> str:
    return upload(api, b"The fox is red.", b"fox.txt")


def keyed(api: Api, key: str | None = None) -> Api:
    return api.with_headers(Idempotency_Key=key or secrets.token_hex(8))


def twice(api: Api, path: str, body: Any = None) -> tuple[Any, Any]:
    """The answers to a request and to the same again."""
    sending = keyed(api)
    return sending.post(path, body), sending.post(path, body)


def test_a_run_is_started_once(drama: Drama):
    drama.model.will(text("Once"))
    api, body = keyed(drama.api), {"assistant_id": drama.assistant}
    first = api.post(f"{drama.path}/runs", body)
    ended = drama.ended(first["id"])

    # Sent again without its key, it would be another run, or meet the lock of this one.
    assert api.post(f"{drama.path}/runs", body) == ended
    assert [run["id"] for run in drama.api.get(f"{drama.path}/runs")["data"]] == [first["id"]]
    assert drama.said() == ["Hello", "Once"]


def test_a_stream_that_is_asked_for_again_is_the_whole_run(drama: Drama):
    drama.model.will(text("one two three"))
    key, body = secrets.token_hex(8), {"assistant_id": drama.assistant}
    with drama.api.stream(f"{drama.path}/runs", body, **{"idempotency-key": key}) as stream:
        told = stream.rest()
    with drama.api.stream(f"{drama.path}/runs", body, **{"idempotency-key": key}) as stream:
        assert stream.rest() == told
    assert drama.said() == ["Hello", "one two three"]


def test_a_thread_with_its_run_is_made_once(drama: Drama):
    drama.model.will(text("Once"))
    first, second = twice(drama.api, "/threads/runs", {"assistant_id": drama.assistant, "thread": {"messages": []}})
    assert (first["id"], first["thread_id"]) == (second["id"], second["thread_id"])


def test_a_message_comes_once_also_under_a_lock(drama: Drama):
    api, body = keyed(drama.api), {"role": "user", "content": "Only once"}
    first = api.post(f"{drama.path}/messages", body)
    drama.model.will(text("one two", hold_before=1))
    drama.start()

    assert api.post(f"{drama.path}/messages", body) == first
    assert drama.said()[:2] == ["Hello", "Only once"]
    assert len(drama.said()) <= 3


def test_outputs_are_handed_in_once(drama: Drama):
    drama.model.will(calls(call("look")), text("Seen"))
    run = drama.rested(drama.start()["id"])
    api, path = keyed(drama.api), f"{drama.path}/runs/{run['id']}/submit_tool_outputs"
    assert api.post(path, outputs(run))["status"] in {"queued", "in_progress", "completed"}
    drama.ended(run["id"])

    assert api.post(path, outputs(run))["status"] == "completed"


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_whatever_is_made_is_made_once(api: Api, version: str):
    api = api.with_headers(OpenAI_Beta=f"assistants={version}")
    assistant, again = twice(api, "/assistants", {"model": "m", "name": "A"})
    assert again == assistant
    thread, again = twice(api, "/threads", {"metadata": {"a": "1"}})
    assert again == thread
    for path, body in {
        f"/assistants/{assistant['id']}": {"name": "B"},
        f"/threads/{thread['id']}": {"metadata": {"a": "2"}},
        f"/threads/{thread['id']}/messages": {"role": "user", "content": "x"},
    }.items():
        first, again = twice(api, path, body)
        assert again == first


def test_stores_and_their_files_are_made_once(api: Api, text_file: str):
    store, again = twice(api, "/vector_stores", {"name": "A"})
    assert again["id"] == store["id"]
    path = f"/vector_stores/{store['id']}"
    first, again = twice(api, f"{path}/files", {"file_id": text_file})
    assert again["id"] == first["id"] == text_file
    first, again = twice(api, f"{path}/file_batches", {"file_ids": [text_file]})
    assert again["id"] == first["id"]
    assert eventually(lambda: api.get(path)["file_counts"], lambda counts: not counts["in_progress"])["total"] == 1


def test_a_file_of_an_assistant_is_given_once(api: Api, text_file: str):
    v1 = api.with_headers(OpenAI_Beta="assistants=v1")
    assistant = v1.post("/assistants", {"model": "m", "tools": [{"type": "retrieval"}]})["id"]
    first, again = twice(v1, f"/assistants/{assistant}/files", {"file_id": text_file})
    assert again == first


def test_what_was_changed_since_is_shown_as_it_is_and_not_changed_back(api: Api):
    thread = api.post("/threads")["id"]
    sending = keyed(api)
    sending.post(f"/threads/{thread}", {"metadata": {"a": "1"}})
    api.post(f"/threads/{thread}", {"metadata": {"a": "2"}})

    assert sending.post(f"/threads/{thread}", {"metadata": {"a": "1"}})["metadata"] == {"a": "2"}


def test_another_request_under_the_same_key_is_refused(api: Api):
    sending = keyed(api)
    thread = sending.post("/threads", {"metadata": {"a": "1"}})["id"]

    refused = sending.send("POST", "/threads", {"metadata": {"a": "2"}})
    assert (refused.status, refused.error["param"], refused.error["code"]) == (
        400,
        "Idempotency-Key",
        "idempotency_key_reused",
    )
    assert sending.send("POST", f"/threads/{thread}", {"metadata": {"a": "1"}}).status == 400
    assert api.get(f"/threads/{thread}")["metadata"] == {"a": "1"}
    # The same said with other blanks is the same.
    assert sending.send("POST", "/threads", b'{ "metadata" : {"a":"1"} }').json["id"] == thread


def test_a_refused_request_leaves_its_key_free(api: Api):
    sending = keyed(api)
    assert sending.send("POST", "/assistants", {}).status == 400
    assert sending.send("POST", "/threads/thread_none/messages", {"role": "user", "content": "x"}).status == 404

    assert sending.post("/assistants", {"model": "m"})["object"] == "assistant"


def test_what_is_gone_is_not_made_again(api: Api):
    sending = keyed(api)
    thread = sending.post("/threads")["id"]
    api.delete(f"/threads/{thread}")

    assert sending.send("POST", "/threads").status == 404


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "\xe9"])
def test_a_wrong_key_is_refused(api: Api, key: str):
    refused = api.send("POST", "/threads", None, Idempotency_Key=key)
    assert (refused.status, refused.error["param"]) == (400, "Idempotency-Key")


def test_of_many_at_once_one_starts_the_run(drama: Drama):
    drama.model.will(text("Once"))
    api = keyed(drama.api)

    def start(_: int) -> Answer:
        return api.send("POST", f"{drama.path}/runs", {"assistant_id": drama.assistant})

    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(start, range(8)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json["id"] for answer in answers}) == 1


def test_a_key_outlives_the_server(starter: Starter):
    server = starter()
    key = secrets.token_hex(8)
    thread = keyed(Api(server.url), key).post("/threads")
    server.kill()

    assert keyed(Api(starter().url), key).post("/threads") == thread
