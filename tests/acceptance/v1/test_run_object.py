"""The run of v1, field by field, in every status: old clients have closed enums and few optional fields."""

from typing import Any

import pytest

from tests.acceptance.refusals import bad_request, refusal
from tests.acceptance.scene import WEATHER, Scene
from tests.acceptance.scripted import call, calls, text
from tests.acceptance.scripted import refusal as upstream_refusal

LAST_I32 = 2**31 - 1


def shown(run) -> dict[str, Any]:
    return run.model_dump(exclude_unset=True)


def fields(scene, run, **changed) -> dict[str, Any]:
    """The run of an assistant that says nothing about it, as it was just created."""
    return {
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
        "model": scene.model.name,
        "instructions": "",
        "tools": [],
        "file_ids": [],
        "metadata": {},
        "usage": None,
        "temperature": 1.0,
        "top_p": 1.0,
        "max_prompt_tokens": None,
        "max_completion_tokens": None,
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "response_format": "auto",
        **changed,
    }


def assert_moments(run, *names: str) -> None:
    """Exactly these moments have come, in order, as whole seconds that 32 bits hold."""
    moments = ("started_at", "cancelled_at", "failed_at", "completed_at")
    assert [name for name in moments if getattr(run, name) is not None] == list(names)
    times = [run.created_at, *(getattr(run, name) for name in names)]
    assert times == sorted(times)
    assert all(type(time) is int and 0 < time <= LAST_I32 for time in times)


def test_queued(scene) -> None:
    run = scene.start()

    assert shown(run) == fields(scene, run)
    scene.settled(run)


def test_queued_with_all_that_was_asked(client, model) -> None:
    scene = Scene.open(client, model, "Hello", instructions="Be kind.", tools=[{"type": "retrieval"}])

    run = scene.start(
        tools=[WEATHER],
        additional_instructions="Be brief.",
        metadata={"order": "66"},
        temperature=0.5,
        max_prompt_tokens=5000,
        max_completion_tokens=500,
        truncation_strategy={"type": "last_messages", "last_messages": 3},
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
        response_format={"type": "json_object"},
    )

    assert shown(run) == fields(
        scene,
        run,
        instructions="Be kind.\nBe brief.",
        tools=[WEATHER],
        metadata={"order": "66"},
        temperature=0.5,
        max_prompt_tokens=5000,
        max_completion_tokens=500,
        truncation_strategy={"type": "last_messages", "last_messages": 3},
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
        response_format={"type": "json_object"},
    )
    scene.settled(run)


def test_in_progress(scene) -> None:
    scene.model.will(text("Later", hold_before="headers"))
    run = scene.start()
    scene.model.wait(held=1)

    working = scene.reload(run)

    assert shown(working) == fields(scene, run, status="in_progress", started_at=working.started_at)
    assert_moments(working, "started_at")
    scene.model.release()


def test_completed(scene) -> None:
    scene.model.will(text("Fine", usage={"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}))

    done = scene.run()

    assert shown(done) == fields(
        scene,
        done,
        status="completed",
        expires_at=None,
        started_at=done.started_at,
        completed_at=done.completed_at,
        usage={"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6},
    )
    assert_moments(done, "started_at", "completed_at")


def test_requires_action(scene_with_tools) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_weather", '{"city": "Oslo"}', id="call_w")))

    waiting = scene.run()

    assert waiting.status == "requires_action"
    assert waiting.required_action.model_dump(exclude_unset=True) == {
        "type": "submit_tool_outputs",
        "submit_tool_outputs": {
            "tool_calls": [
                {
                    "id": "call_w",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'},
                }
            ]
        },
    }
    assert (waiting.instructions, waiting.file_ids, waiting.usage) == ("", [], None)
    assert_moments(waiting, "started_at")


def test_cancelling_and_cancelled(scene) -> None:
    scene.model.will(text("Never said", hold_before="headers"))
    run = scene.start()
    scene.model.wait(held=1)

    asked = scene.runs.cancel(run.id, thread_id=scene.thread.id)
    ended = scene.settled(run)

    assert shown(asked) == fields(scene, run, status="cancelling", started_at=asked.started_at)
    assert (ended.status, ended.expires_at) == ("cancelled", None)
    assert_moments(ended, "started_at", "cancelled_at")


@pytest.mark.parametrize(
    ("turn", "code"),
    [
        (upstream_refusal(401, "Bad key"), "server_error"),
        (upstream_refusal(404, "No such model"), "server_error"),
        (upstream_refusal(429, "Slow down") | {"headers": {"Retry-After": "60"}}, "rate_limit_exceeded"),
        (upstream_refusal(500, "Broken") | {"headers": {"Retry-After": "60"}}, "server_error"),
        # v2 calls this invalid_prompt, which old clients cannot read.
        (upstream_refusal(400, "Too long", "context_length_exceeded"), "server_error"),
        ({"text": "Once", "finish_reason": "content_filter"}, "server_error"),
        ({"chunks": [{"choices": [{"index": 0, "delta": {"content": "Half"}}]}], "then": "reset"}, "server_error"),
    ],
    ids=["401", "404", "429", "500", "overflow", "content filter", "reset"],
)
def test_failed(scene, turn, code) -> None:
    scene.model.will(turn)

    failed = scene.run()

    assert (failed.status, failed.expires_at) == ("failed", None)
    assert failed.last_error.code == code
    assert failed.last_error.message
    assert_moments(failed, "started_at", "failed_at")


def test_an_incomplete_run_is_shown_failed_with_the_limit_it_met(scene) -> None:
    scene.model.will(text("As far as", finish_reason="length"))

    failed = scene.runs.create_and_poll(
        thread_id=scene.thread.id, assistant_id=scene.assistant.id, max_completion_tokens=256
    )

    assert failed.status == "failed"
    assert shown(failed.last_error) == {
        "code": "server_error",
        "message": "The run is incomplete: it reached max_completion_tokens (256).",
    }
    assert failed.incomplete_details.reason == "max_completion_tokens"
    assert_moments(failed, "started_at", "failed_at")
    assert refusal(scene.runs.cancel, failed.id, thread_id=scene.thread.id) == bad_request(
        "Cannot cancel run with status 'failed'."
    )


def test_a_forced_tool_of_v2_is_shown_as_auto(scene_with_tools) -> None:
    run = scene_with_tools.start(extra_body={"tool_choice": "required"}, extra_headers={"OpenAI-Beta": "assistants=v2"})

    assert run.tool_choice == "required"
    assert scene_with_tools.settled(run).tool_choice == "auto"
