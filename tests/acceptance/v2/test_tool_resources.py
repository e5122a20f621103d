"""What the built-in tools are given: on assistants, threads, runs and messages."""

import pytest

from tests.acceptance.refusals import bad_request, refusal
from tests.acceptance.scripted import text
from tests.acceptance.v2.stores import a_file, stores_of

CODE = {"type": "code_interpreter"}
SEARCH = {"type": "file_search"}
WEEK = 7 * 86400


@pytest.fixture
def stores(client):
    return stores_of(client)


def code(*ids):
    return {"code_interpreter": {"file_ids": list(ids)}}


def search(*ids):
    return {"file_search": {"vector_store_ids": list(ids)}}


def files_for_code(thing):
    return thing.tool_resources.code_interpreter.file_ids


def store_of(thing):
    [id] = thing.tool_resources.file_search.vector_store_ids
    return id


def test_an_assistant_names_files_and_a_store(client, model, stores) -> None:
    file, store = a_file(client), stores.create()

    made = client.beta.assistants.create(
        model=model.name, tools=[CODE, SEARCH], tool_resources={**code(file.id), **search(store.id)}
    )
    assert files_for_code(made) == [file.id]
    assert store_of(made) == store.id

    # Each tool that is named is replaced whole, the other stays.
    other = a_file(client)
    changed = client.beta.assistants.update(made.id, tool_resources=code(other.id))
    assert (files_for_code(changed), store_of(changed)) == ([other.id], store.id)


def test_a_store_is_made_along_with_an_assistant(client, model, stores) -> None:
    file = a_file(client)

    made = client.beta.assistants.create(
        model=model.name,
        tools=[SEARCH],
        tool_resources={"file_search": {"vector_stores": [{"file_ids": [file.id], "metadata": {"k": "v"}}]}},
    )

    store = stores.retrieve(store_of(made))
    assert (store.metadata, store.expires_at) == ({"k": "v"}, None)
    assert [each.id for each in stores.files.list(store.id)] == [file.id]


def test_a_store_that_is_made_along_with_a_thread_expires(client, stores) -> None:
    file = a_file(client)

    made = client.beta.threads.create(tool_resources={"file_search": {"vector_stores": [{"file_ids": [file.id]}]}})

    store = stores.retrieve(store_of(made))
    assert store.expires_at == store.created_at + WEEK
    assert client.beta.threads.retrieve(made.id) == made


def test_attached_files_reach_the_tools_of_their_thread(client, stores) -> None:
    for_code, for_search, for_both, for_none = (a_file(client).id for _ in range(4))
    thread = client.beta.threads.create()

    message = client.beta.threads.messages.create(
        thread.id,
        role="user",
        content="See these.",
        attachments=[
            {"file_id": for_code, "tools": [CODE]},
            {"file_id": for_search, "tools": [SEARCH]},
            {"file_id": for_both, "tools": [CODE, SEARCH]},
            {"file_id": for_none},
        ],
    )

    assert [each.file_id for each in message.attachments] == [for_code, for_search, for_both, for_none]
    given = client.beta.threads.retrieve(thread.id)
    assert files_for_code(given) == [for_code, for_both]
    store = stores.retrieve(store_of(given))
    assert store.expires_at == store.created_at + WEEK
    assert {each.id for each in stores.files.list(store.id)} == {for_search, for_both}

    # A second message finds the store that the first one made.
    more = a_file(client).id
    client.beta.threads.messages.create(
        thread.id, role="user", content="And this.", attachments=[{"file_id": more, "tools": [SEARCH]}]
    )
    assert store_of(client.beta.threads.retrieve(thread.id)) == store.id
    assert {each.id for each in stores.files.list(store.id)} == {for_search, for_both, more}


def test_a_deleted_store_of_a_thread_is_made_anew(client, stores) -> None:
    attached = {"file_id": a_file(client).id, "tools": [SEARCH]}
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "a", "attachments": [attached]}])
    first = store_of(client.beta.threads.retrieve(thread.id))
    stores.delete(first)

    client.beta.threads.messages.create(thread.id, role="user", content="b", attachments=[attached])

    second = store_of(client.beta.threads.retrieve(thread.id))
    assert second != first
    assert len(list(stores.files.list(second))) == 1


def test_files_come_with_a_thread_a_run_and_both(client, model, stores) -> None:
    model.will(text("Seen."), repeat=True)
    assistant = client.beta.assistants.create(model=model.name)
    said = [{"role": "user", "content": "a", "attachments": [{"file_id": a_file(client).id, "tools": [SEARCH, CODE]}]}]

    thread = client.beta.threads.create(messages=said)
    first = store_of(thread)
    assert first == store_of(client.beta.threads.retrieve(thread.id))

    run = client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, additional_messages=said, poll_interval_ms=20
    )
    assert run.status == "completed"
    assert store_of(client.beta.threads.retrieve(thread.id)) == first

    both = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id, thread={"messages": said}, poll_interval_ms=20
    )
    assert both.status == "completed"
    assert len(list(stores.files.list(store_of(client.beta.threads.retrieve(both.thread_id))))) == 1


def test_a_streamed_run_brings_files_too(client, model) -> None:
    model.will(text("Seen."))
    assistant, thread = client.beta.assistants.create(model=model.name), client.beta.threads.create()
    file = a_file(client)
    said = [{"role": "user", "content": "a", "attachments": [{"file_id": file.id, "tools": [CODE]}]}]

    with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, additional_messages=said
    ) as stream:
        stream.until_done()

    assert files_for_code(client.beta.threads.retrieve(thread.id)) == [file.id]


def test_a_deleted_file_leaves_assistants_and_threads_and_not_messages(client, model) -> None:
    file, other = a_file(client), a_file(client)
    assistant = client.beta.assistants.create(model=model.name, tool_resources=code(file.id, other.id))
    attached = [{"file_id": file.id, "tools": [CODE]}]
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "a", "attachments": attached}])

    client.files.delete(file.id)

    assert files_for_code(client.beta.assistants.retrieve(assistant.id)) == [other.id]
    assert files_for_code(client.beta.threads.retrieve(thread.id)) == []
    [message] = client.beta.threads.messages.list(thread.id)
    assert [each.file_id for each in message.attachments] == [file.id]


def test_an_image_may_be_shown_by_its_file(client) -> None:
    file, thread = a_file(client, "a.png"), client.beta.threads.create()
    part = {"type": "image_file", "image_file": {"file_id": file.id, "detail": "low"}}

    message = client.beta.threads.messages.create(thread.id, role="user", content=[part])

    assert message.content[0].image_file.file_id == file.id


def test_what_is_not_there_is_refused_by_its_place(client, model) -> None:
    create = client.beta.assistants.create
    file = a_file(client).id
    no_file = bad_request("No such File object: file-x", "tool_resources.code_interpreter.file_ids[1]")
    no_store = bad_request("No such VectorStore object: vs_x", "tool_resources.file_search.vector_store_ids[0]")

    assert refusal(create, model=model.name, tool_resources=code(file, "file-x")) == no_file
    assert refusal(create, model=model.name, tool_resources=search("vs_x")) == no_store
    made = create(model=model.name)
    assert refusal(client.beta.assistants.update, made.id, tool_resources=code(file, "file-x")) == no_file
    thread = client.beta.threads.create()
    assert refusal(client.beta.threads.update, thread.id, tool_resources=search("vs_x")) == no_store
    within = refusal(
        client.beta.threads.create_and_run, assistant_id=made.id, thread={"tool_resources": search("vs_x")}
    )
    assert within == no_store._replace(param=f"thread.{no_store.param}")
    run = refusal(client.beta.threads.create_and_run, assistant_id=made.id, tool_resources=code(file, "file-x"))
    assert run == no_file


def test_files_of_messages_that_are_not_there_are_refused_by_their_place(client, scene) -> None:
    attached = {"role": "user", "content": "a", "attachments": [{"file_id": "file-x", "tools": [CODE]}]}
    shown = {"role": "user", "content": [{"type": "image_file", "image_file": {"file_id": "file-x"}}]}
    send = client.beta.threads.messages.create

    assert refusal(send, scene.thread.id, **attached).param == "attachments[0].file_id"
    assert refusal(send, scene.thread.id, **shown).param == "content[0].image_file.file_id"
    assert refusal(client.beta.threads.create, messages=[attached]).param == "messages[0].attachments[0].file_id"
    started = refusal(scene.start, additional_messages=[shown])
    assert started.param == "additional_messages[0].content[0].image_file.file_id"
    assert scene.run().status == "completed"


def test_a_picture_is_not_attached_for_search_alone(client, scene) -> None:
    picture = client.files.create(file=("Drawing.PNG", b"\x89PNG\r\n"), purpose="assistants").id
    text = client.files.create(file=("notes.zig", b"text all the same"), purpose="assistants").id
    for_search = {"role": "user", "content": "a", "attachments": [{"file_id": picture, "tools": [SEARCH]}]}
    send = client.beta.threads.messages.create

    refused = refusal(send, scene.thread.id, **for_search)

    assert refused.message.startswith(
        "Files with extensions [.png] are not supported for retrieval. Supported file types"
    )
    assert (refused.param, refused.code) == ("attachments[0].file_id", "unsupported_file")
    assert refusal(client.beta.threads.create, messages=[for_search]).param == "messages[0].attachments[0].file_id"
    for attachment in ({"file_id": picture, "tools": [SEARCH, CODE]}, {"file_id": text, "tools": [SEARCH]}):
        send(scene.thread.id, role="user", content="b", attachments=[attachment])


def test_limits(client, model) -> None:
    file = a_file(client).id
    create = client.beta.assistants.create

    assert refusal(create, model=model.name, tool_resources=code(*[file] * 21)).code == "array_above_max_length"
    assert refusal(create, model=model.name, tool_resources=search("vs_1", "vs_2")).code == "array_above_max_length"
    two_kinds = {"file_search": {"vector_store_ids": ["vs_1"], "vector_stores": [{}]}}
    assert refusal(create, model=model.name, tool_resources=two_kinds).param == "tool_resources.file_search"
    asked = refusal(create, model=model.name, tool_resources={"file_search": {"file_ids": [file]}})
    assert asked == bad_request(
        "Unknown parameter: 'tool_resources.file_search.file_ids'.",
        "tool_resources.file_search.file_ids",
        "unknown_parameter",
    )
