"""Threads: made with and without messages, changed, deleted with all that is in them."""

import pytest
from openai import NotFoundError, OpenAI

from tests.acceptance.scene import Scene, said
from tests.acceptance.scripted import text


def test_an_empty_thread_needs_no_body(client: OpenAI) -> None:
    thread = client.beta.threads.create()

    assert thread.id.startswith("thread_")
    assert thread.object == "thread"
    assert thread.metadata == {}
    assert client.beta.threads.retrieve(thread.id) == thread


def test_a_thread_starts_with_the_messages_it_was_given(client: OpenAI) -> None:
    thread = client.beta.threads.create(
        messages=[
            {"role": "user", "content": "One", "metadata": {"n": "1"}},
            {"role": "assistant", "content": "Two"},
            {"role": "user", "content": "Three"},
        ],
        metadata={"about": "numbers"},
    )

    messages = client.beta.threads.messages.list(thread.id, order="asc").data
    assert [(message.role, said(message)) for message in messages] == [
        ("user", "One"),
        ("assistant", "Two"),
        ("user", "Three"),
    ]
    assert messages[0].metadata == {"n": "1"}
    assert thread.metadata == {"about": "numbers"}


def test_a_threads_metadata_is_replaced(client: OpenAI) -> None:
    thread = client.beta.threads.create(metadata={"old": "1"})

    assert client.beta.threads.update(thread.id, metadata={"new": "2"}).metadata == {"new": "2"}
    assert client.beta.threads.retrieve(thread.id).metadata == {"new": "2"}


def test_a_deleted_thread_takes_its_messages_and_runs_with_it(scene: Scene) -> None:
    scene.model.will(text("Fine"))
    run = scene.run()
    [_, message] = scene.messages()

    deleted = scene.client.beta.threads.delete(scene.thread.id)

    assert deleted.to_dict() == {"id": scene.thread.id, "object": "thread.deleted", "deleted": True}
    for gone in (
        lambda: scene.client.beta.threads.retrieve(scene.thread.id),
        lambda: scene.client.beta.threads.messages.retrieve(message.id, thread_id=scene.thread.id),
        scene.messages,
        lambda: scene.reload(run),
        lambda: scene.steps(run),
        scene.start,
    ):
        with pytest.raises(NotFoundError, match=r"^Error code: 404 - .*No (thread|message|run) found with id "):
            gone()


def test_deleting_a_thread_cancels_its_run(scene: Scene) -> None:
    scene.model.will(text("Never finished", hold_before=1))
    stream = scene.start(stream=True)
    scene.model.wait(held=1)

    scene.client.beta.threads.delete(scene.thread.id)

    assert [event.event for event in stream][-2:] == ["thread.run.cancelling", "thread.run.cancelled"]
    scene.model.wait(aborted=1)
