"""What is refused over v1, in the words that applications of the time match on."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.refusals import bad_request, not_found, refusal
from tests.acceptance.scripted import text


@pytest.fixture
def at_work(scene) -> Iterator[Any]:
    scene.model.will(text("Fine", hold_before="headers"))
    run = scene.start()
    scene.model.wait(held=1)
    yield run
    scene.model.release()
    assert scene.settled(run).status == "completed"


def test_a_thread_with_an_active_run_takes_no_message_and_no_run(scene, at_work) -> None:
    thread = scene.thread.id

    message = refusal(scene.say, "More")
    second = refusal(scene.start)

    assert message == bad_request(f"Can't add messages to {thread} while a run {at_work.id} is active.")
    assert second == bad_request(f"Thread {thread} already has an active run {at_work.id}.")
    # Applications find the run by this.
    assert re.findall(r"run_\w+", second.message) == [at_work.id]


def test_a_run_that_ended_cannot_be_cancelled(scene) -> None:
    run = scene.run()

    assert refusal(scene.runs.cancel, run.id, thread_id=scene.thread.id) == bad_request(
        "Cannot cancel run with status 'completed'."
    )


def test_unknown_ids_are_not_found(scene) -> None:
    beta, thread = scene.client.beta, scene.thread.id

    for act, kind, id in (
        (lambda: beta.assistants.retrieve("asst_x"), "assistant", "asst_x"),
        (lambda: beta.threads.retrieve("thread_x"), "thread", "thread_x"),
        (lambda: beta.threads.messages.retrieve("msg_x", thread_id=thread), "message", "msg_x"),
        (lambda: scene.runs.retrieve("run_x", thread_id=thread), "run", "run_x"),
        (lambda: scene.runs.create(thread, assistant_id="asst_x"), "assistant", "asst_x"),
    ):
        assert refusal(act) == not_found(f"No {kind} found with id '{id}'.")


def test_what_only_v2_knows_is_unknown(scene) -> None:
    create = scene.client.beta.assistants.create

    for name, value in (("tool_resources", {}), ("reasoning_effort", "low")):
        assert refusal(create, model="m", extra_body={name: value}) == bad_request(
            f"Unknown parameter: '{name}'.", name, "unknown_parameter"
        )
    assert refusal(scene.start, extra_body={"parallel_tool_calls": True}) == bad_request(
        "Unknown parameter: 'parallel_tool_calls'.", "parallel_tool_calls", "unknown_parameter"
    )


def test_what_v2_added_to_a_message_is_refused(scene) -> None:
    create = scene.client.beta.threads.messages.create

    assert refusal(create, scene.thread.id, role="user", content=[{"type": "text", "text": "Hi"}]) == bad_request(
        "Invalid type for 'content': expected a string, but got an array instead.", "content", "invalid_type"
    )


def test_a_file_that_does_not_exist_is_named_where_v1_wrote_it(scene) -> None:
    refused = refusal(
        scene.client.beta.threads.messages.create, scene.thread.id, role="user", content="Hi", file_ids=["file-x"]
    )

    assert refused.param == "file_ids[0]"
    assert "file-x" in refused.message


def test_limits_are_refused_by_their_name(scene) -> None:
    refused = refusal(scene.client.beta.assistants.create, model="m", name="n" * 300)

    assert refused == bad_request(
        "Invalid 'name': string too long. "
        "Expected a string with maximum length 256, but got a string with length 300 instead.",
        "name",
        "string_above_max_length",
    )
