"""Runs: what create answers, what a run takes from its assistant, and what can be changed later."""

import time

from openai import OpenAI

from tests.acceptance.scene import CLOCK, POLL_MS, WEATHER, Scene, said
from tests.acceptance.scripted import Model, text


def test_a_new_run_is_shown_queued_with_all_it_resolved(client: OpenAI, model: Model) -> None:
    scene = Scene.open(client, model, "Hello", instructions="Be kind.", tools=[WEATHER], metadata={"not": "copied"})

    run = scene.start(metadata={"order": "66"}, temperature=0.3)

    assert run.id.startswith("run_")
    assert abs(run.created_at - time.time()) < 60
    assert run.to_dict() == {
        "id": run.id,
        "object": "thread.run",
        "created_at": run.created_at,
        "thread_id": scene.thread.id,
        "assistant_id": scene.assistant.id,
        "status": "queued",
        "required_action": None,
        "last_error": None,
        "expires_at": run.created_at + 600,
        "started_at": None,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "incomplete_details": None,
        "model": model.name,
        "instructions": "Be kind.",
        "tools": [WEATHER],
        "metadata": {"order": "66"},
        "usage": None,
        "temperature": 0.3,
        "top_p": 1.0,
        "max_prompt_tokens": None,
        "max_completion_tokens": None,
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "response_format": "auto",
        "tool_resources": {},
    }
    scene.settled(run)


def test_a_run_in_the_hands_of_the_model_is_in_progress(scene: Scene) -> None:
    scene.model.will(text("Later", hold_before="headers"))
    run = scene.start()
    scene.model.wait(held=1)

    working = scene.reload(run)
    scene.model.release()
    done = scene.settled(run)

    assert (working.status, working.usage, working.completed_at) == ("in_progress", None, None)
    assert run.created_at <= working.started_at <= done.completed_at
    assert working.expires_at == run.expires_at


def test_a_completed_run_says_when_and_at_what_cost(scene: Scene) -> None:
    scene.model.will(text("Fine", usage={"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}))

    run = scene.run()

    assert run.status == "completed"
    assert run.completed_at >= run.started_at >= run.created_at
    assert run.expires_at is None
    assert (run.last_error, run.incomplete_details, run.required_action) == (None, None, None)
    assert run.usage.to_dict() == {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}
    assert scene.answer == "Fine"


def test_what_a_run_says_goes_before_what_its_assistant_says(client: OpenAI, model: Model) -> None:
    scene = Scene.open(
        client,
        model,
        "Hello",
        instructions="The assistant's.",
        tools=[WEATHER],
        temperature=0.1,
        top_p=0.2,
        response_format={"type": "json_object"},
    )

    run = scene.run(
        instructions="The run's.", tools=[CLOCK], temperature=0.8, top_p=0.9, response_format={"type": "text"}
    )

    assert run.instructions == "The run's."
    assert [tool.function.name for tool in run.tools] == ["get_time"]
    assert (run.temperature, run.top_p) == (0.8, 0.9)
    assert run.response_format.type == "text"


def test_an_empty_list_of_tools_means_none(scene_with_tools: Scene) -> None:
    run = scene_with_tools.run(tools=[])

    assert run.tools == []
    assert "tools" not in scene_with_tools.model.request


def test_a_later_change_of_the_assistant_does_not_reach_a_run(scene: Scene) -> None:
    scene.model.will(text("Fine", hold_before="headers"))
    run = scene.start()

    scene.client.beta.assistants.update(scene.assistant.id, instructions="Too late.", model="another")
    scene.client.beta.assistants.delete(scene.assistant.id)
    scene.model.release()
    done = scene.settled(run)

    assert (done.status, done.instructions, done.model) == ("completed", "", scene.model.name)
    assert done.assistant_id == scene.assistant.id


def test_a_runs_metadata_can_be_changed_while_it_works_and_after(scene: Scene) -> None:
    scene.model.will(text("Fine", hold_before=1))
    run = scene.start(metadata={"state": "new"})
    scene.model.wait(held=1)

    scene.runs.update(run.id, thread_id=scene.thread.id, metadata={"state": "working"})
    scene.model.release()
    done = scene.settled(run)
    changed = scene.runs.update(run.id, thread_id=scene.thread.id, metadata={"state": "done"})

    assert (done.status, done.metadata) == ("completed", {"state": "working"})
    assert (changed.status, changed.metadata) == ("completed", {"state": "done"})
    assert scene.reload(run) == changed


def test_runs_are_listed_newest_first(scene: Scene) -> None:
    first, second = scene.run(), scene.run()

    assert scene.runs.list(scene.thread.id).data == [second, first]


def test_a_thread_and_a_run_are_created_together(client: OpenAI, model: Model) -> None:
    model.will(text("Fine"))
    assistant = client.beta.assistants.create(model=model.name)

    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "How are you?"}], "metadata": {"kind": "greeting"}},
        instructions="Be honest.",
        poll_interval_ms=POLL_MS,
    )

    assert (run.object, run.status, run.instructions) == ("thread.run", "completed", "Be honest.")
    assert client.beta.threads.retrieve(run.thread_id).metadata == {"kind": "greeting"}
    assert [said(each) for each in client.beta.threads.messages.list(run.thread_id)] == ["Fine", "How are you?"]


def test_a_run_without_a_thread_gets_an_empty_one(client: OpenAI, model: Model) -> None:
    assistant = client.beta.assistants.create(model=model.name)

    run = client.beta.threads.create_and_run_poll(assistant_id=assistant.id, poll_interval_ms=POLL_MS)

    assert run.status == "completed"
    assert len(client.beta.threads.messages.list(run.thread_id).data) == 1
