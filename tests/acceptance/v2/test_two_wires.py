"""What v1 wrote is read over v2, and the reverse. The newer client switches by a header on each call."""

from typing import Any

from tests.acceptance.refusals import bad_request, not_found, refusal
from tests.acceptance.scene import WEATHER, Scene, answers
from tests.acceptance.scripted import call, calls, text
from tests.acceptance.scripted import refusal as upstream_refusal

HEADERS = {"OpenAI-Beta": "assistants=v1"}
V1: Any = {"extra_headers": HEADERS}


def over_v1(scene: Scene, path: str) -> Any:
    """An object as v1 shows it, in plain JSON: the client's own types are v2's."""
    return scene.client.get(path, cast_to=object, options={"headers": HEADERS})


def test_a_v2_assistant_in_v1_words(scene: Scene) -> None:
    assistants = scene.client.beta.assistants
    tools = [{"type": "file_search", "file_search": {"max_num_results": 3}}, {"type": "code_interpreter"}, WEATHER]
    made = assistants.create(model="m", name="Both", tools=tools, response_format={"type": "json_object"})

    seen = over_v1(scene, f"/assistants/{made.id}")

    assert seen["tools"] == [{"type": "retrieval"}, {"type": "code_interpreter"}, WEATHER]
    assert seen["file_ids"] == []
    assert "tool_resources" not in seen
    assert (seen["id"], seen["name"]) == (made.id, "Both")


def test_a_v1_assistant_in_v2_words(scene: Scene) -> None:
    assistants = scene.client.beta.assistants
    made = assistants.create(
        model="m", tools=[{"type": "retrieval"}], extra_body={"file_ids": []}, instructions="Read.", **V1
    )

    seen = assistants.retrieve(made.id).to_dict()

    assert seen["tools"] == [{"type": "file_search"}]
    assert "file_ids" not in seen
    assert seen["instructions"] == "Read."
    assert made.id in {each.id for each in assistants.list(limit=100)}


def test_a_v1_change_keeps_what_only_v2_can_say(scene: Scene) -> None:
    assistants = scene.client.beta.assistants
    schema = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    made = assistants.create(model="m", name="Before", reasoning_effort="low", response_format=schema)

    assistants.update(made.id, name="After", **V1)

    seen = assistants.retrieve(made.id)
    assert seen.name == "After"
    assert seen.response_format.to_dict() == schema


def test_each_wire_refuses_the_words_of_the_other(scene: Scene) -> None:
    create = scene.client.beta.assistants.create

    def unknown(name: str) -> Any:
        return bad_request(f"Unknown parameter: '{name}'.", name, "unknown_parameter")

    assert refusal(create, model="m", extra_body={"file_ids": []}) == unknown("file_ids")
    assert refusal(create, model="m", tool_resources={}, **V1) == unknown("tool_resources")
    assert refusal(create, model="m", reasoning_effort="low", **V1) == unknown("reasoning_effort")


def test_a_message_with_an_image_shows_v1_its_text(scene: Scene) -> None:
    message = scene.say(
        [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
        ]
    )

    seen = over_v1(scene, f"/threads/{scene.thread.id}/messages/{message.id}")

    assert seen["content"] == [{"type": "text", "text": {"value": "What is this?", "annotations": []}}]
    assert seen["file_ids"] == []
    assert "attachments" not in seen


def test_messages_cannot_be_deleted_over_v1(scene: Scene) -> None:
    [message] = scene.messages()

    refused = refusal(scene.client.beta.threads.messages.delete, message.id, thread_id=scene.thread.id, **V1)

    assert refused == not_found(f"Invalid URL (DELETE /v1/threads/{scene.thread.id}/messages/{message.id})")
    assert scene.messages() == [message]


def test_an_incomplete_run_is_a_failed_one_over_v1(scene: Scene) -> None:
    scene.model.will(text("Cut", finish_reason="length"))
    run = scene.run(max_completion_tokens=300)

    seen = scene.runs.retrieve(run.id, thread_id=scene.thread.id, **V1)

    assert (run.status, seen.status) == ("incomplete", "failed")
    assert seen.last_error.to_dict() == {
        "code": "server_error",
        "message": "The run is incomplete: it reached max_completion_tokens (300).",
    }
    assert (seen.failed_at, seen.completed_at) == (run.completed_at, None)


def test_an_invalid_prompt_is_a_server_error_over_v1(scene: Scene) -> None:
    scene.model.will(upstream_refusal(400, "too long", "context_length_exceeded"))
    run = scene.run()

    seen = scene.runs.retrieve(run.id, thread_id=scene.thread.id, **V1)

    assert (run.last_error.code, seen.last_error.code) == ("invalid_prompt", "server_error")
    assert seen.last_error.message == run.last_error.message


def test_a_run_may_begin_on_one_wire_and_end_on_the_other(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_weather")), text("Sunny"))
    waiting = scene.settled(scene.start(**V1))

    queued = scene.runs.submit_tool_outputs(
        waiting.id, thread_id=scene.thread.id, tool_outputs=answers(waiting, get_weather="sunny")
    )
    done = scene.settled(queued)

    seen = over_v1(scene, f"/threads/{scene.thread.id}/runs/{done.id}")
    assert done.status == seen["status"] == "completed"
    assert seen["file_ids"] == []
    assert seen["instructions"] == ""
    assert (done.instructions, done.parallel_tool_calls) == ("", True)
