"""Threads and messages over v1."""

from typing import Any

import pytest
from openai import NotFoundError

from tests.acceptance.scene import said
from tests.acceptance.scripted import text


def shown(thing) -> dict[str, Any]:
    return thing.model_dump(exclude_unset=True)


def test_a_thread_starts_with_its_messages(client) -> None:
    thread = client.beta.threads.create(
        messages=[{"role": "user", "content": "One", "metadata": {"n": "1"}}, {"role": "user", "content": "Two"}],
        metadata={"about": "numbers"},
    )

    messages = client.beta.threads.messages.list(thread.id, order="asc").data
    assert shown(thread) == {
        "id": thread.id,
        "object": "thread",
        "created_at": thread.created_at,
        "metadata": {"about": "numbers"},
    }
    assert [(message.role, said(message), message.metadata) for message in messages] == [
        ("user", "One", {"n": "1"}),
        ("user", "Two", {}),
    ]


def test_a_message_has_file_ids_and_no_attachments(scene) -> None:
    message = scene.say("How are you?")

    assert shown(message) == {
        "id": message.id,
        "object": "thread.message",
        "created_at": message.created_at,
        "thread_id": scene.thread.id,
        "role": "user",
        "content": [{"type": "text", "text": {"value": "How are you?", "annotations": []}}],
        "status": "completed",
        "completed_at": None,
        "incomplete_at": None,
        "incomplete_details": None,
        "assistant_id": None,
        "run_id": None,
        "file_ids": [],
        "metadata": {},
    }
    assert scene.client.beta.threads.messages.retrieve(message.id, thread_id=scene.thread.id) == message


def test_an_answer_has_file_ids_too(scene) -> None:
    scene.model.will(text("Fine"))
    run = scene.run()

    [_, answer] = scene.messages()

    assert (answer.role, answer.file_ids, answer.run_id, answer.assistant_id) == (
        "assistant",
        [],
        run.id,
        scene.assistant.id,
    )


def test_metadata_can_be_changed(scene) -> None:
    message = scene.say("Mark me")
    beta = scene.client.beta

    changed = beta.threads.messages.update(message.id, thread_id=scene.thread.id, metadata={"seen": "yes"})
    thread = beta.threads.update(scene.thread.id, metadata={"kept": "yes"})

    assert (changed.metadata, thread.metadata) == ({"seen": "yes"}, {"kept": "yes"})
    assert beta.threads.retrieve(scene.thread.id) == thread


def test_a_deleted_thread_is_gone(scene) -> None:
    deleted = scene.client.beta.threads.delete(scene.thread.id)

    assert shown(deleted) == {"id": scene.thread.id, "object": "thread.deleted", "deleted": True}
    with pytest.raises(NotFoundError, match=f"No thread found with id '{scene.thread.id}'."):
        scene.client.beta.threads.retrieve(scene.thread.id)


def test_the_pager_of_the_time_walks_all_messages_once(client) -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": str(n)} for n in range(23)])

    walked = [int(said(message)) for message in client.beta.threads.messages.list(thread.id, limit=5, order="asc")]

    assert walked == list(range(23))
