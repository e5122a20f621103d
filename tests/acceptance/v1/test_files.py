"""Files over v1: uploaded, given to assistants and messages, and seen by v2 as what v2 calls them."""

import io

import httpx
import pytest

from tests.acceptance.refusals import bad_request, not_found, refusal

RETRIEVAL = {"type": "retrieval"}
CODE = {"type": "code_interpreter"}


def a_file(client, name="a.txt", contents=b"Hello", purpose="assistants"):
    return client.files.create(file=(name, io.BytesIO(contents)), purpose=purpose)


class Second:
    """The same server in the other version's words."""

    def __init__(self, client) -> None:
        self._base = str(client.base_url).rstrip("/")

    def get(self, path):
        answer = httpx.get(f"{self._base}{path}", headers={"OpenAI-Beta": "assistants=v2"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path, body):
        answer = httpx.post(f"{self._base}{path}", json=body, headers={"OpenAI-Beta": "assistants=v2"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def files_in_store_of(self, path):
        [store] = self.get(path)["tool_resources"]["file_search"]["vector_store_ids"]
        return {file["id"] for file in self.get(f"/vector_stores/{store}/files")["data"]}


@pytest.fixture
def v2(client) -> Second:
    return Second(client)


def test_a_file_is_what_was_uploaded(client) -> None:
    made = a_file(client, "grüße.txt", b"Hello there")

    assert (made.object, made.bytes, made.filename, made.purpose) == ("file", 11, "grüße.txt", "assistants")
    assert client.files.retrieve(made.id) == made
    assert client.files.content(made.id).read() == b"Hello there"
    assert made.id in [file.id for file in client.files.list(purpose="assistants")]
    assert client.files.delete(made.id).deleted
    assert refusal(client.files.retrieve, made.id) == not_found(f"No such File object: {made.id}")._replace(param="id")


def test_v1_is_not_told_purposes_that_it_does_not_know(client) -> None:
    made = a_file(client, purpose="vision")

    shown = client.files.retrieve(made.id, extra_headers={"OpenAI-Beta": "assistants=v1"})

    assert shown.purpose == "assistants"


def test_an_assistant_s_files_are_the_same_one_by_one(client, model, v2) -> None:
    first, second = a_file(client), a_file(client)
    made = client.beta.assistants.create(model=model.name, tools=[CODE, RETRIEVAL], file_ids=[first.id])
    assert made.file_ids == [first.id]

    added = client.beta.assistants.files.create(made.id, file_id=second.id)

    assert (added.id, added.object, added.assistant_id) == (second.id, "assistant.file", made.id)
    assert client.beta.assistants.files.retrieve(second.id, assistant_id=made.id) == added
    assert client.beta.assistants.retrieve(made.id).file_ids == [first.id, second.id]
    assert [file.id for file in client.beta.assistants.files.list(made.id)] == [second.id, first.id]
    assert [file.id for file in client.beta.assistants.files.list(made.id, order="asc", limit=1)] == [
        first.id,
        second.id,
    ]
    seen = v2.get(f"/assistants/{made.id}")["tool_resources"]
    assert seen["code_interpreter"]["file_ids"] == [first.id, second.id]
    assert v2.files_in_store_of(f"/assistants/{made.id}") == {first.id, second.id}

    deleted = client.beta.assistants.files.delete(first.id, assistant_id=made.id)

    assert (deleted.id, deleted.object, deleted.deleted) == (first.id, "assistant.file.deleted", True)
    assert client.beta.assistants.retrieve(made.id).file_ids == [second.id]
    assert v2.files_in_store_of(f"/assistants/{made.id}") == {second.id}
    assert client.files.retrieve(first.id).id == first.id


def test_a_change_of_files_reaches_retrieval(client, model, v2) -> None:
    first, second = a_file(client).id, a_file(client).id
    made = client.beta.assistants.create(model=model.name, tools=[RETRIEVAL], file_ids=[first])

    client.beta.assistants.update(made.id, file_ids=[second])
    assert v2.files_in_store_of(f"/assistants/{made.id}") == {second}

    # A change of something else leaves the store alone.
    client.beta.assistants.update(made.id, name="Ada")
    assert v2.files_in_store_of(f"/assistants/{made.id}") == {second}


def test_retrieval_that_comes_later_finds_the_files(client, model, v2) -> None:
    file = a_file(client).id
    made = client.beta.assistants.create(model=model.name, tools=[CODE], file_ids=[file])
    assert "file_search" not in v2.get(f"/assistants/{made.id}")["tool_resources"]

    client.beta.assistants.update(made.id, tools=[CODE, RETRIEVAL])

    assert v2.files_in_store_of(f"/assistants/{made.id}") == {file}


def test_files_that_v2_gives_are_seen(client, model, v2) -> None:
    file = a_file(client).id
    made = v2.post("/assistants", {"model": model.name, "tool_resources": {"code_interpreter": {"file_ids": [file]}}})

    assert client.beta.assistants.retrieve(made["id"]).file_ids == [file]
    assert [each.id for each in client.beta.assistants.files.list(made["id"])] == [file]


def test_a_deleted_file_leaves_its_assistant(client, model) -> None:
    file, other = a_file(client).id, a_file(client).id
    made = client.beta.assistants.create(model=model.name, tools=[RETRIEVAL], file_ids=[file, other])

    client.files.delete(file)

    assert client.beta.assistants.retrieve(made.id).file_ids == [other]
    assert [each.id for each in client.beta.assistants.files.list(made.id)] == [other]


def test_a_message_s_files(client, v2) -> None:
    files = [a_file(client).id for _ in range(3)]
    thread = client.beta.threads.create()

    message = client.beta.threads.messages.create(thread.id, role="user", content="See.", file_ids=files)

    assert message.file_ids == files
    listed = client.beta.threads.messages.files.list(message.id, thread_id=thread.id, order="asc")
    assert [file.id for file in listed] == files
    one = client.beta.threads.messages.files.retrieve(files[1], thread_id=thread.id, message_id=message.id)
    assert (one.id, one.object, one.message_id) == (files[1], "thread.message.file", message.id)
    seen = v2.get(f"/threads/{thread.id}")["tool_resources"]
    assert seen["code_interpreter"]["file_ids"] == files
    assert v2.files_in_store_of(f"/threads/{thread.id}") == set(files)
    stranger = a_file(client).id
    refused = refusal(client.beta.threads.messages.files.retrieve, stranger, thread_id=thread.id, message_id=message.id)
    assert refused == not_found(f"No message file found with id '{stranger}'.")


def test_messages_may_bring_more_files_than_one_message_may(client) -> None:
    thread = client.beta.threads.create()
    for _ in range(3):
        files = [a_file(client).id for _ in range(10)]
        client.beta.threads.messages.create(thread.id, role="user", content="More.", file_ids=files)

    assert [len(message.file_ids) for message in client.beta.threads.messages.list(thread.id)] == [10, 10, 10]


def test_files_that_are_not_there_are_refused_in_v1_s_words(client, model) -> None:
    made = client.beta.assistants.create(model=model.name)
    thread = client.beta.threads.create()

    assert refusal(client.beta.assistants.create, model=model.name, file_ids=["file-x"]) == bad_request(
        "No such File object: file-x", "file_ids[0]"
    )
    assert refusal(client.beta.assistants.files.create, made.id, file_id="file-x") == bad_request(
        "No such File object: file-x", "file_id"
    )
    sent = refusal(client.beta.threads.messages.create, thread.id, role="user", content="a", file_ids=["file-x"])
    assert sent == bad_request("No such File object: file-x", "file_ids[0]")
    for act in (client.beta.assistants.files.retrieve, client.beta.assistants.files.delete):
        assert refusal(act, "file-x", assistant_id=made.id) == not_found("No assistant file found with id 'file-x'.")


def test_limits(client, model) -> None:
    file = a_file(client).id
    assert refusal(client.beta.assistants.create, model=model.name, file_ids=[file] * 21).param == "file_ids"
    full = client.beta.assistants.create(model=model.name, file_ids=[a_file(client).id for _ in range(20)])
    refused = refusal(client.beta.assistants.files.create, full.id, file_id=file)
    assert (refused.param, refused.code) == ("file_ids", "array_above_max_length")
    thread = client.beta.threads.create()
    sent = refusal(client.beta.threads.messages.create, thread.id, role="user", content="a", file_ids=[file] * 11)
    assert (sent.param, sent.code) == ("file_ids", "array_above_max_length")


def test_v2_has_none_of_these_paths(client, model, v2) -> None:
    made = client.beta.assistants.create(model=model.name)
    thread = client.beta.threads.create()
    message = client.beta.threads.messages.create(thread.id, role="user", content="a")

    for path in (f"/assistants/{made.id}/files", f"/threads/{thread.id}/messages/{message.id}/files"):
        answer = httpx.get(f"{str(client.base_url).rstrip('/')}{path}", headers={"OpenAI-Beta": "assistants=v2"})
        assert (answer.status_code, answer.json()["error"]["message"]) == (404, f"Invalid URL (GET /v1{path})")


def test_v1_has_no_vector_stores(client) -> None:
    base = str(client.base_url).rstrip("/")

    answer = httpx.get(f"{base}/vector_stores", headers={"OpenAI-Beta": "assistants=v1"})

    assert answer.status_code == 404
