"""The exact streams: every event, in order, with everything it says."""

from collections.abc import Iterator
from typing import Any

from tests.acceptance.scene import Scene, answers
from tests.acceptance.scripted import Json, call, calls, text
from tests.acceptance.transcript import assert_golden


def piece(words: str) -> Json:
    """A chunk of an answer that goes on."""
    return {"choices": [{"index": 0, "delta": {"content": words}, "finish_reason": None}]}


def test_a_plain_answer(scene: Scene) -> None:
    scene.model.will(text("Hello there, friend"))

    assert_golden("v2-plain", scene.events(), model=scene.model.name)


def test_a_thread_and_a_run_created_together(scene: Scene) -> None:
    scene.model.will(text("Fine"))

    events = scene.client.beta.threads.create_and_run(
        assistant_id=scene.assistant.id,
        thread={"messages": [{"role": "user", "content": "How are you?"}], "metadata": {"from": "here"}},
        stream=True,
    )

    assert_golden("v2-thread-and-run", events, model=scene.model.name)


def test_function_calls_and_what_follows_their_outputs(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(
        calls(
            call("get_weather", '{"city": "Oslo"}', id="call_weather"),
            call("get_time", '{"zone": "CET"}', id="call_time"),
            text="Let me look.",
        ),
        text("Sunny at noon"),
    )

    def both_streams() -> Iterator[Any]:
        yield from scene.start(stream=True)
        [waiting] = scene.runs.list(thread_id=scene.thread.id)
        outputs = answers(waiting, get_weather="sunny", get_time="noon")
        yield from scene.runs.submit_tool_outputs(
            waiting.id, thread_id=scene.thread.id, tool_outputs=outputs, stream=True
        )

    assert_golden("v2-function-calls", both_streams(), model=scene.model.name)


def test_a_cancellation_in_the_middle_of_an_answer(scene: Scene) -> None:
    scene.model.will(text("Never to be finished", hold_before=2))

    def cancelled() -> Iterator[Any]:
        for event in scene.start(stream=True):
            yield event
            if event.event == "thread.message.delta":
                [run] = scene.runs.list(thread_id=scene.thread.id)
                scene.runs.cancel(run.id, thread_id=scene.thread.id)

    assert_golden("v2-cancelled", cancelled(), model=scene.model.name)


def test_a_failure_in_the_middle_of_an_answer(scene: Scene) -> None:
    scene.model.will({"chunks": [piece("Half"), piece(" an")], "then": "close"})

    assert_golden("v2-failed", scene.events(), model=scene.model.name)


def test_an_answer_that_met_its_limit(scene: Scene) -> None:
    scene.model.will(text("As far as it", finish_reason="length"))

    assert_golden("v2-incomplete", scene.events(max_completion_tokens=256), model=scene.model.name)


def test_a_model_that_refuses_to_answer(scene: Scene) -> None:
    scene.model.will({"refusal": "I would rather not."})

    assert_golden("v2-refusal", scene.events(), model=scene.model.name)
