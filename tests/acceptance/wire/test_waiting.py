"""`?wait=` on a run: the answer comes when the run rests, and never later than was asked."""

import signal

import pytest

from tests.acceptance.scripted import Model, call, calls, text
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.drama import Drama, Starter
from tests.acceptance.wire.talk import Api, Raw, request

WORDS = "one two three four"


def waited_for(raw: Raw, drama: Drama, run: str, seconds: int = 60) -> None:
    """Ask for the run, and make sure that the server has read it: a later request of another client is answered."""
    raw.send(request(b"GET", f"/v1{drama.path}/runs/{run}?wait={seconds}".encode()))
    drama.run(run)


def test_the_answer_comes_when_the_run_ends(drama: Drama):
    drama.model.will(text(WORDS, hold_before=3))
    run = drama.start()["id"]
    drama.model.wait(held=1)
    with Raw(drama.api.url) as raw:
        waited_for(raw, drama, run)
        drama.model.release()
        assert raw.read().json == drama.run(run)
    assert drama.run(run)["status"] == "completed"


def test_the_answer_comes_when_the_run_wants_something(drama: Drama):
    drama.model.will(calls(call("look")), text("Done"))
    run = drama.start()["id"]
    waiting = drama.api.get(f"{drama.path}/runs/{run}?wait=60")
    assert waiting["status"] == "requires_action"
    drama.submit(waiting)
    assert drama.api.get(f"{drama.path}/runs/{run}?wait=60")["status"] == "completed"
    assert drama.api.get(f"{drama.path}/runs/{run}?wait=60")["status"] == "completed"


def test_a_run_that_goes_on_is_shown_as_it_is(drama: Drama):
    drama.model.will(text(WORDS, hold_before=3))
    run = drama.start()["id"]
    drama.model.wait(held=1)
    answer = drama.api.send("GET", f"{drama.path}/runs/{run}?wait=1")
    assert (answer.status, answer.json["status"]) == (200, "in_progress")
    assert answer.headers["openai-poll-after-ms"] in {"200", "1000"}


def test_a_thread_that_is_deleted_meanwhile_is_not_found(drama: Drama):
    drama.model.will(text(WORDS, hold_before=3))
    run = drama.start()["id"]
    drama.model.wait(held=1)
    with Raw(drama.api.url) as raw:
        waited_for(raw, drama, run)
        drama.api.delete(drama.path)
        answer = raw.read()
    # It was cancelled before it was gone: which of the two is seen depends on the moment.
    assert answer.status == 404 or answer.json["status"] == "cancelled"


def test_nobody_waits_for_what_is_not_there(drama: Drama):
    assert drama.api.send("GET", f"{drama.path}/runs/run_1?wait=60").status == 404
    assert drama.api.send("GET", "/threads/thread_1/runs/run_1?wait=60").status == 404
    drama.model.will(text("Bye"))
    run = drama.start()["id"]
    other = drama.api.post("/threads")["id"]
    assert drama.api.send("GET", f"/threads/{other}/runs/{run}?wait=60").status == 404


@pytest.mark.parametrize("wait", ["61", "-1", "1.5", "soon"])
def test_a_wrong_wait_is_refused(drama: Drama, wait: str):
    drama.model.will(text("Bye"))
    run = drama.start()["id"]
    answer = drama.api.send("GET", f"{drama.path}/runs/{run}?wait={wait}")
    assert (answer.status, answer.error["param"]) == (400, "wait")


def test_who_waits_is_answered_by_a_server_that_stops(starter: Starter, model: Model):
    server = starter()
    drama = Drama.open(Api(server.url), model)
    model.will(text(WORDS, hold_before=3))
    run = drama.start()["id"]
    model.wait(held=1)
    with Raw(server.url) as raw:
        waited_for(raw, drama, run)
        server.process.send_signal(signal.SIGTERM)
        answer = raw.read()
    assert answer.status == 200
    assert answer.json["status"] in {"in_progress", "queued"}
    assert eventually(server.process.poll, lambda status: status is not None) == 0
