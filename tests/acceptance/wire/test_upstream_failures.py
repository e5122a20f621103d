"""A model's server that fails for good: the run says so within seconds, in words to act on, and frees its thread."""

import socket
import time

import pytest

from tests.acceptance.processes import start_server
from tests.acceptance.scripted import Json, Model, refusal, text
from tests.acceptance.wire.drama import Drama, Starter
from tests.acceptance.wire.talk import Api

WITHIN = 20.0
"""Seconds in which a lasting failure must end a run."""


def failed(drama: Drama) -> Json:
    """A run that has failed in time and left nothing open."""
    began = time.monotonic()
    run = drama.ended(drama.start()["id"])
    assert time.monotonic() - began < WITHIN
    assert run["status"] == "failed"
    assert run["failed_at"] is not None
    assert all(step["status"] == "failed" for step in drama.steps(run["id"]))
    messages = drama.api.get(f"{drama.path}/messages?run_id={run['id']}")["data"]
    assert [message["status"] for message in messages] in ([], ["incomplete"])
    assert drama.is_free()
    error: Json = run["last_error"]
    return error


@pytest.mark.parametrize("status", [500, 502, 503, 529])
def test_a_server_that_fails_every_time(drama: Drama, status):
    drama.model.will(refusal(status, "The engine is down"), repeat=True)

    error = failed(drama)

    assert error["code"] == "server_error"
    assert f"The model server failed ({status}): The engine is down" in error["message"]
    assert len(drama.model.requests) == 3


def test_a_server_that_is_always_too_busy(drama: Drama):
    drama.model.will(refusal(429, "Slow down", "rate_limit_exceeded"), repeat=True)

    error = failed(drama)

    assert error["code"] == "rate_limit_exceeded"
    assert "limits the rate of requests" in error["message"]
    assert "Slow down" in error["message"]


def test_a_server_that_asks_for_more_patience_than_there_is(drama: Drama):
    drama.model.will({**refusal(429, "Slow down"), "headers": {"Retry-After": "3600"}}, repeat=True)

    error = failed(drama)

    assert error["code"] == "rate_limit_exceeded"
    assert "3600 seconds" in error["message"]
    assert len(drama.model.requests) == 1


def test_an_empty_account(drama: Drama):
    drama.model.will(refusal(429, "You exceeded your quota", "insufficient_quota"), repeat=True)

    error = failed(drama)

    assert error["code"] == "rate_limit_exceeded"
    assert "quota is used up" in error["message"]
    assert len(drama.model.requests) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_refused_names_its_setting(drama: Drama, status):
    drama.model.will(refusal(status, "Bad key"))

    assert "check RUNSTEAD_MODEL_KEY" in failed(drama)["message"]


def test_a_model_that_is_not_there_names_the_setting_that_maps_it(drama: Drama):
    drama.model.will(refusal(404, "No such model"))

    assert "RUNSTEAD_MODEL_MAP" in failed(drama)["message"]


def test_an_address_where_nobody_listens_names_its_setting(starter: Starter, model: Model):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        drama = Drama.open(Api(starter(model_url=f"http://127.0.0.1:{port}/v1").url), model)

        error = failed(drama)

    assert error["code"] == "server_error"
    assert "cannot be reached at the address in RUNSTEAD_MODEL_URL" in error["message"]


@pytest.mark.parametrize("hold", ["headers", 2], ids=["before the answer", "in mid-stream"])
def test_a_server_that_falls_silent_is_given_up_after_the_idle_limit(starter: Starter, model: Model, hold):
    drama = Drama.open(Api(starter(RUNSTEAD_MODEL_IDLE_LIMIT="0.3").url), model)
    model.will(text("one two three", hold_before=hold))

    error = failed(drama)

    assert "sent nothing for 0.3 seconds" in error["message"]
    model.wait(aborted=1)


@pytest.mark.parametrize("end", ["close", "end"])
def test_an_answer_that_breaks_off_is_not_asked_for_again(drama: Drama, end):
    delta = {"role": "assistant", "content": "one"}
    chunk = {"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}]}
    drama.model.will({"chunks": [chunk], "then": end}, text("never"))

    error = failed(drama)

    assert "ended before the answer was complete" in error["message"]
    assert len(drama.model.requests) == 1


def test_a_server_that_recovers_in_time_is_not_noticed(drama: Drama):
    drama.model.will(refusal(503, "Starting"), refusal(500, "Starting"), text("Here I am"))

    assert drama.ended(drama.start()["id"])["status"] == "completed"
    assert drama.said()[-1] == "Here I am"


def test_something_that_is_no_model_server_names_the_setting(starter: Starter, scripted, tmp_path, model: Model):
    # Runstead itself stands for a server that speaks HTTP and JSON, and no chat completions.
    with start_server(tmp_path / "other", scripted.url) as other:
        drama = Drama.open(Api(starter(model_url=other.url).url), model)

        assert "RUNSTEAD_MODEL_URL" in failed(drama)["message"]


def test_a_failing_model_keeps_nobody_else_waiting(drama: Drama, scripted):
    drama.model.will(refusal(500, "Down"), repeat=True)
    failing = drama.start()["id"]
    other = Drama.open(drama.api, scripted.model("answers-well"))

    assert other.ended(other.start()["id"])["status"] == "completed"
    assert drama.ended(failing)["status"] == "failed"
