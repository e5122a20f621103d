"""An old client beside a new one: what the v1 client sees of objects that were written over v2."""

from tests.acceptance.scene import said
from tests.acceptance.scripted import text

V2 = {"extra_headers": {"OpenAI-Beta": "assistants=v2"}}


def test_an_assistant_of_v2_can_be_read(client, model) -> None:
    made = client.beta.assistants.create(
        model=model.name,
        tools=[{"type": "file_search", "file_search": {"max_num_results": 3}}],
        extra_body={"tool_resources": {"file_search": {"vector_store_ids": []}}},
        **V2,
    )

    seen = client.beta.assistants.retrieve(made.id)

    assert [tool.type for tool in seen.tools] == ["retrieval"]
    assert seen.file_ids == []
    assert made.id in {each.id for each in client.beta.assistants.list(limit=100)}


def test_a_message_of_v2_with_an_image_shows_its_text(scene) -> None:
    content = [
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
        {"type": "text", "text": "What is this?"},
    ]
    made = scene.client.beta.threads.messages.create(
        scene.thread.id, role="user", content=content, extra_headers=V2["extra_headers"]
    )

    seen = scene.client.beta.threads.messages.retrieve(made.id, thread_id=scene.thread.id)

    assert said(seen) == "What is this?"
    assert seen.file_ids == []


def test_a_run_of_v2_can_be_polled_to_its_end(scene) -> None:
    scene.model.will(text("Cut", finish_reason="length"))
    run = scene.start(extra_body={"parallel_tool_calls": False, "max_completion_tokens": 256}, **V2)

    ended = scene.settled(run)

    assert ended.status == "failed"
    assert ended.last_error.code == "server_error"
    assert ended.file_ids == []


def test_a_refusal_of_the_model_is_text(scene) -> None:
    scene.model.will({"refusal": "I would rather not."})

    events = scene.events()

    words = [event.data.delta.content[0].text.value for event in events if event.event == "thread.message.delta"]
    assert scene.answer == "".join(words) == "I would rather not."


def test_a_run_of_v1_reads_correctly_over_v2(scene) -> None:
    run = scene.run(metadata={"by": "v1"})

    seen = scene.runs.retrieve(run.id, thread_id=scene.thread.id, **V2).model_dump(exclude_unset=True)

    assert (seen["status"], seen["metadata"], seen["instructions"]) == ("completed", {"by": "v1"}, "")
    assert seen["tool_resources"] == {}
    assert "file_ids" not in seen
