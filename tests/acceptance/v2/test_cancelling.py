"""Cancelling a run, in every status it may be in."""

from typing import Any

import pytest
from openai import BadRequestError

from tests.acceptance.refusals import message_of
from tests.acceptance.scene import Scene, answers, read_until, said
from tests.acceptance.scripted import call, calls, refusal, text


def cancel(scene: Scene, run: Any) -> Any:
    return scene.runs.cancel(run.id, thread_id=scene.thread.id)


def test_a_run_at_work_is_cancelling_and_then_cancelled(scene: Scene) -> None:
    scene.model.will(text("Never said", hold_before="headers"))
    run = scene.start()
    scene.model.wait(held=1)

    asked = cancel(scene, run)
    ended = scene.settled(run)

    assert (asked.status, asked.cancelled_at, asked.expires_at) == ("cancelling", None, run.expires_at)
    assert (ended.status, ended.expires_at, ended.last_error) == ("cancelled", None, None)
    assert ended.cancelled_at >= ended.started_at
    scene.model.wait(aborted=1)
    assert [said(message) for message in scene.messages()] == ["Hello"]
    assert scene.steps(ended) == []


def test_what_was_said_before_a_cancellation_is_kept_as_incomplete(scene: Scene) -> None:
    # Two words are out when the third is held.
    scene.model.will(text("One two three", hold_before=3))
    stream = scene.start(stream=True)
    run = read_until(stream, "thread.message.delta", 2)[0].data

    cancel(scene, run)
    ended = scene.settled(run)

    [_, message] = scene.messages()
    [step] = scene.steps(run)
    assert ended.status == "cancelled"
    assert said(message) == "One two"
    assert (message.status, message.incomplete_details.reason) == ("incomplete", "run_cancelled")
    assert (message.completed_at, message.incomplete_at is None) == (None, False)
    assert (step.status, step.completed_at, step.cancelled_at is None) == ("cancelled", None, False)
    assert [event.event for event in stream] == [
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
    ]


def test_a_cancelled_run_frees_its_thread(scene: Scene) -> None:
    scene.model.will(text("Never said", hold_before="headers"), text("At last"))
    run = scene.start()
    scene.model.wait(held=1)

    cancel(scene, run)
    scene.settled(run)
    scene.say("Again?")
    second = scene.run()

    assert second.status == "completed"
    assert scene.answer == "At last"


def test_a_run_that_waits_for_outputs_is_cancelled_at_once(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_weather")))
    waiting = scene.run()

    cancel(scene, waiting)
    ended = scene.reload(waiting)

    [step] = scene.steps(ended)
    assert (ended.status, ended.required_action) == ("cancelled", None)
    assert (step.status, step.cancelled_at is None) == ("cancelled", False)
    with pytest.raises(BadRequestError) as refused:
        scene.runs.submit_tool_outputs(
            waiting.id, thread_id=scene.thread.id, tool_outputs=answers(waiting, get_weather="sunny")
        )
    assert message_of(refused) == 'Runs in status "cancelled" do not accept tool outputs.'


def test_a_call_that_was_never_answered_is_not_shown_to_later_runs(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_weather"), text="Let me look."), text("Never mind"))
    cancel(scene, scene.run())
    scene.say("And now?")

    done = scene.run()

    assert done.status == "completed"
    assert [(each["role"], each["content"]) for each in scene.model.requests[1]["messages"]] == [
        ("user", "Weather and time in Oslo?"),
        ("assistant", "Let me look."),
        ("user", "And now?"),
    ]


def test_a_run_that_has_ended_cannot_be_cancelled(scene: Scene) -> None:
    scene.model.will(text("Fine"), text("Cut", finish_reason="length"), refusal(401, "no"), text("x", hold_before=0))
    completed, incomplete, failed = scene.run(), scene.run(), scene.run()
    cancelled = scene.start()
    scene.model.wait(held=1)
    cancel(scene, cancelled)
    scene.settled(cancelled)

    for run, status in (
        (completed, "completed"),
        (incomplete, "incomplete"),
        (failed, "failed"),
        (cancelled, "cancelled"),
    ):
        with pytest.raises(BadRequestError) as refused:
            cancel(scene, run)
        assert message_of(refused) == f"Cannot cancel run with status '{status}'."
        assert (refused.value.type, refused.value.param, refused.value.code) == ("invalid_request_error", None, None)
