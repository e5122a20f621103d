"""One active run per thread: what is refused meanwhile, in which words, and what is not."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from openai import BadRequestError

from tests.acceptance.refusals import bad_request, refusal
from tests.acceptance.scene import Scene
from tests.acceptance.scripted import call, calls, text


@pytest.fixture
def at_work(scene: Scene) -> Iterator[Any]:
    """A run that its model lets wait; ended by the test or after it."""
    scene.model.will(text("Fine", hold_before="headers"), text("Next"))
    run = scene.start()
    scene.model.wait(held=1)
    yield run
    scene.model.release()
    assert scene.settled(run).status == "completed"


def test_a_message_is_refused_while_a_run_is_active(scene: Scene, at_work: Any) -> None:
    assert refusal(scene.say, "One more thing") == bad_request(
        f"Can't add messages to {scene.thread.id} while a run {at_work.id} is active."
    )
    assert len(scene.messages()) == 1


@pytest.mark.parametrize("options", [{}, {"additional_messages": [{"role": "user", "content": "Hurry"}]}])
@pytest.mark.parametrize("streamed", [{}, {"stream": True}])
def test_a_second_run_is_refused_while_one_is_active(scene: Scene, at_work: Any, options: Any, streamed: Any) -> None:
    assert refusal(scene.start, **options, **streamed) == bad_request(
        f"Thread {scene.thread.id} already has an active run {at_work.id}."
    )
    assert [run.id for run in scene.runs.list(scene.thread.id)] == [at_work.id]
    assert len(scene.messages()) == 1


def test_a_run_that_waits_for_outputs_locks_its_thread_too(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_time")), text("Noon"), text("Still noon"))
    waiting = scene.run()

    refused = refusal(scene.say, "Hurry")
    scene.submit(waiting, get_time="noon")
    scene.say("Thanks")

    assert refused == bad_request(f"Can't add messages to {scene.thread.id} while a run {waiting.id} is active.")
    assert scene.run().status == "completed"


def test_other_changes_are_allowed_while_a_run_is_active(scene: Scene, at_work: Any) -> None:
    beta = scene.client.beta
    [message] = scene.messages()

    assert beta.threads.update(scene.thread.id, metadata={"a": "1"}).metadata == {"a": "1"}
    changed = beta.threads.messages.update(message.id, thread_id=scene.thread.id, metadata={"b": "2"})
    assert changed.metadata == {"b": "2"}
    assert scene.runs.update(at_work.id, thread_id=scene.thread.id, metadata={"c": "3"}).metadata == {"c": "3"}


def test_other_threads_are_not_locked(scene: Scene, at_work: Any) -> None:
    other = scene.client.beta.threads.create()

    run = scene.runs.create_and_poll(thread_id=other.id, assistant_id=scene.assistant.id, poll_interval_ms=20)

    assert run.status == "completed"


def test_of_many_runs_at_once_one_is_taken(scene: Scene) -> None:
    scene.model.will(text("Fine", hold_before="headers"))

    def attempt(_: int) -> str:
        try:
            return str(scene.start().id)
        except BadRequestError as refused:
            return refused.message

    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(attempt, range(8)))

    [taken] = [outcome for outcome in outcomes if outcome.startswith("run_")]
    assert sum(f"already has an active run {taken}." in outcome for outcome in outcomes) == 7
    scene.model.release()
