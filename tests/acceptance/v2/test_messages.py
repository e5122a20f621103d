"""Messages: written as text or in parts, listed, changed, deleted."""

import pytest
from openai import NotFoundError

from tests.acceptance.scene import Scene, said
from tests.acceptance.scripted import text

PHOTO = "https://example.com/photo.png"


def test_a_users_message_is_complete_from_the_start(scene: Scene) -> None:
    message = scene.say("How are you?")

    assert message.id.startswith("msg_")
    assert message.to_dict() == {
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
        "attachments": [],
        "metadata": {},
    }
    assert scene.client.beta.threads.messages.retrieve(message.id, thread_id=scene.thread.id) == message


def test_a_message_in_parts_keeps_them_in_order(scene: Scene) -> None:
    message = scene.say(
        [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": PHOTO, "detail": "low"}},
            {"type": "text", "text": "And where?"},
        ]
    )

    assert [part.to_dict() for part in message.content] == [
        {"type": "text", "text": {"value": "What is this?", "annotations": []}},
        {"type": "image_url", "image_url": {"url": PHOTO, "detail": "low"}},
        {"type": "text", "text": {"value": "And where?", "annotations": []}},
    ]


def test_messages_are_listed_newest_first(scene: Scene) -> None:
    scene.say("Second")
    scene.say("Third")

    newest_first = scene.client.beta.threads.messages.list(scene.thread.id).data

    assert [said(message) for message in newest_first] == ["Third", "Second", "Hello"]
    assert [said(message) for message in scene.messages()] == ["Hello", "Second", "Third"]


def test_messages_can_be_listed_by_the_run_that_wrote_them(scene: Scene) -> None:
    scene.model.will(text("First answer"), text("Second answer"))
    scene.run()
    scene.say("More?")
    second = scene.run()

    [message] = scene.messages(run_id=second.id)

    assert said(message) == "Second answer"
    assert (message.run_id, message.assistant_id) == (second.id, scene.assistant.id)


def test_a_messages_metadata_can_be_changed_and_nothing_else(scene: Scene) -> None:
    message = scene.say("Mark me")

    changed = scene.client.beta.threads.messages.update(message.id, thread_id=scene.thread.id, metadata={"seen": "yes"})

    assert changed.metadata == {"seen": "yes"}
    assert changed.content == message.content
    assert scene.client.beta.threads.messages.retrieve(message.id, thread_id=scene.thread.id) == changed


def test_a_deleted_message_is_gone_and_the_model_never_hears_of_it(scene: Scene) -> None:
    scene.model.will(text("Fine"))
    message = scene.say("Forget this")

    deleted = scene.client.beta.threads.messages.delete(message.id, thread_id=scene.thread.id)
    scene.run()

    assert deleted.to_dict() == {"id": message.id, "object": "thread.message.deleted", "deleted": True}
    assert [said(each) for each in scene.messages()] == ["Hello", "Fine"]
    assert scene.model.request["messages"] == [{"role": "user", "content": "Hello"}]
    with pytest.raises(NotFoundError, match=f"No message found with id '{message.id}'."):
        scene.client.beta.threads.messages.retrieve(message.id, thread_id=scene.thread.id)


def test_a_message_is_found_only_on_its_own_thread(scene: Scene) -> None:
    message = scene.say("Mine")
    other = scene.client.beta.threads.create()

    with pytest.raises(NotFoundError, match=f"No message found with id '{message.id}'."):
        scene.client.beta.threads.messages.retrieve(message.id, thread_id=other.id)


def test_text_of_any_script_comes_back_unharmed(scene: Scene) -> None:
    words = 'Zażółć — 漢字 👩‍🚀 \u202e \\n "quoted"\n\ttabbed'
    scene.model.will(text(words, pieces=7))
    scene.say(words)

    scene.run()

    assert [said(message) for message in scene.messages()] == ["Hello", words, words]
