"""Runs that fail because the model's server does: a last_error a person can act on, a free thread, nothing left open."""

from collections.abc import Iterator

import pytest
from openai import OpenAI

from tests.acceptance.conftest import KEY
from tests.acceptance.processes import start_server
from tests.acceptance.scene import Scene, said
from tests.acceptance.scripted import Json, Model, ScriptedServer, refusal, text

LATER = {"Retry-After": "60"}
"""A wait that is longer than the server's patience, so that it does not try again."""
OVERFLOW = "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens."


@pytest.mark.parametrize(
    ("turn", "code", "words"),
    [
        (refusal(401, "Bad key"), "server_error", "refused the key (401); check RUNSTEAD_MODEL_KEY: Bad key"),
        (refusal(403, "Not yours"), "server_error", "refused the key (403); check RUNSTEAD_MODEL_KEY: Not yours"),
        (refusal(404, "No such model"), "server_error", "RUNSTEAD_MODEL_MAP"),
        (refusal(429, "Slow down") | {"headers": LATER}, "rate_limit_exceeded", "asks to wait 60 seconds: Slow down"),
        (refusal(429, "Pay first", "insufficient_quota"), "rate_limit_exceeded", "quota is used up: Pay first"),
        (refusal(500, "Broken") | {"headers": LATER}, "server_error", "The model server failed (500): Broken"),
        (
            refusal(400, OVERFLOW, "context_length_exceeded"),
            "invalid_prompt",
            f"does not fit the model's context: {OVERFLOW}",
        ),
        (refusal(400, "Bad temperature"), "server_error", "refused the request (400): Bad temperature"),
        (
            {"raw": "<html><title>Welcome</title></html>", "content_type": "text/html"},
            "server_error",
            "no chat-completions server",
        ),
    ],
    ids=["401", "403", "404", "429", "quota", "500", "overflow", "400", "web page"],
)
def test_a_refusal_becomes_a_last_error_to_act_on(scene: Scene, turn: Json, code: str, words: str) -> None:
    scene.model.will(turn, text("Better now"))

    run = scene.run()

    assert (run.status, run.last_error.code) == ("failed", code)
    assert words in run.last_error.message
    assert run.failed_at >= run.started_at
    assert (run.expires_at, run.completed_at) == (None, None)
    assert [said(message) for message in scene.messages()] == ["Hello"]
    # The thread is free again, and the next run has nothing of this one.
    assert scene.run().status == "completed"
    assert scene.answer == "Better now"


def test_a_server_that_fails_for_a_moment_is_asked_again(scene: Scene) -> None:
    at_once = {"headers": {"retry-after-ms": "1"}}
    scene.model.will(refusal(500, "Oops") | at_once, refusal(429, "Busy") | at_once, text("Fine"))

    run = scene.run()

    assert run.status == "completed"
    assert scene.answer == "Fine"
    assert len(scene.model.requests) == 3


def test_a_server_that_keeps_failing_is_given_up(scene: Scene) -> None:
    scene.model.will(refusal(503, "Down") | {"headers": {"retry-after-ms": "1"}}, repeat=True)

    run = scene.run()

    assert (run.status, run.last_error.code) == ("failed", "server_error")
    assert run.last_error.message == "The model server failed (503): Down"
    assert len(scene.model.requests) == 3


@pytest.mark.parametrize("ending", ["reset", "close", "end"])
def test_an_answer_that_breaks_off_fails_the_run_and_is_not_said_twice(scene: Scene, ending: str) -> None:
    word = {"choices": [{"index": 0, "delta": {"content": "Half"}, "finish_reason": None}]}
    scene.model.will({"chunks": [word], "then": ending}, text("Better now"))

    run = scene.run()

    assert run.status == "failed"
    assert run.last_error.code == "server_error"
    assert "before the answer was complete" in run.last_error.message
    [_, message] = scene.messages()
    [step] = scene.steps(run)
    assert said(message) == "Half"
    assert (message.status, message.incomplete_details.reason) == ("incomplete", "run_failed")
    assert (step.status, step.last_error.message) == ("failed", run.last_error.message)
    assert len(scene.model.requests) == 1


def test_an_error_in_the_middle_of_a_stream_is_passed_on(scene: Scene) -> None:
    word = {"choices": [{"index": 0, "delta": {"content": "Half"}, "finish_reason": None}]}
    scene.model.will({"chunks": [word, {"error": {"message": "Out of memory", "code": 500}}]})

    run = scene.run()

    assert (run.status, run.last_error.code) == ("failed", "server_error")
    assert run.last_error.message == "The model server failed (500): Out of memory"


def test_a_failure_told_as_a_finish_reason_fails_the_run(scene: Scene) -> None:
    scene.model.will(text("Half", finish_reason="error"))

    run = scene.run()

    assert (run.status, run.last_error.code) == ("failed", "server_error")
    assert run.last_error.message.startswith("The model server failed while it answered: ")
    assert scene.messages()[-1].status == "incomplete"


def test_a_failure_before_the_first_word_is_asked_again(scene: Scene) -> None:
    role = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}
    scene.model.will({"chunks": [role], "then": "reset"}, text("Fine"))

    assert scene.run().status == "completed"
    assert scene.answer == "Fine"
    assert len(scene.model.requests) == 2


def test_a_content_filter_fails_the_run_and_marks_the_message(scene: Scene) -> None:
    scene.model.will(text("Once upon a", finish_reason="content_filter"))

    run = scene.run()

    [_, message] = scene.messages()
    assert (run.status, run.last_error.code) == ("failed", "server_error")
    assert "content filter" in run.last_error.message
    assert (message.status, message.incomplete_details.reason) == ("incomplete", "content_filter")


def test_a_malformed_chunk_is_skipped(scene: Scene) -> None:
    word = {"choices": [{"index": 0, "delta": {"content": "Fine"}, "finish_reason": None}]}
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    scene.model.will({"chunks": [word, 'data: {"choices": [{"ind\n\n', "nonsense\n\n", last]})

    assert scene.run().status == "completed"
    assert scene.answer == "Fine"


@pytest.fixture(scope="module")
def impatient(scripted: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAI]:
    """A client of a server that gives a silent model a second and a half."""
    data_dir = tmp_path_factory.mktemp("impatient")
    with (
        start_server(data_dir, scripted.url, RUNSTEAD_MODEL_IDLE_LIMIT="1.5") as server,
        OpenAI(base_url=server.url, api_key=KEY, timeout=60) as client,
    ):
        yield client
        assert server.complaints == []


@pytest.mark.parametrize(("hold", "words"), [("headers", []), (2, ["One"])], ids=["from the start", "in the middle"])
def test_a_silent_model_fails_the_run(impatient: OpenAI, model: Model, hold: object, words: list[str]) -> None:
    scene = Scene.open(impatient, model, "Hello")
    model.will(text("One two", hold_before=hold))

    run = scene.run()

    assert (run.status, run.last_error.code) == ("failed", "server_error")
    assert run.last_error.message == "The model server sent nothing for 1.5 seconds."
    assert [said(message) for message in scene.messages()] == ["Hello", *words]
    model.wait(aborted=1)
