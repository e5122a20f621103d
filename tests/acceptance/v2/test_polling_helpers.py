"""The client's polling helpers, left to the pace that the server suggests."""

from openai import OpenAI

from tests.acceptance.scene import Scene, answers
from tests.acceptance.scripted import Model, call, calls, refusal, text


def test_a_run_is_created_and_polled_through_its_tool_calls(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_weather")), text("Sunny"))

    waiting = scene.runs.create_and_poll(thread_id=scene.thread.id, assistant_id=scene.assistant.id)
    done = scene.runs.submit_tool_outputs_and_poll(
        run_id=waiting.id, thread_id=scene.thread.id, tool_outputs=answers(waiting, get_weather="sunny")
    )

    assert (waiting.status, done.status) == ("requires_action", "completed")


def test_a_thread_and_run_are_created_and_polled(client: OpenAI, model: Model) -> None:
    assistant = client.beta.assistants.create(model=model.name)

    run = client.beta.threads.create_and_run_poll(assistant_id=assistant.id)

    assert run.status == "completed"


def test_polling_ends_at_every_end(scene: Scene) -> None:
    scene.model.will(text("Fine"), text("Cut", finish_reason="length"), refusal(401, "Bad key"))

    ends = [scene.runs.create_and_poll(thread_id=scene.thread.id, assistant_id=scene.assistant.id) for _ in range(3)]

    assert [run.status for run in ends] == ["completed", "incomplete", "failed"]


def test_the_server_suggests_a_pace(scene: Scene) -> None:
    run = scene.start()

    answer = scene.runs.with_raw_response.retrieve(run.id, thread_id=scene.thread.id)

    assert answer.headers["openai-poll-after-ms"] == "200"
