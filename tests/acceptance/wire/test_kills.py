"""The server killed at every interesting moment: what it acknowledged is there, and every run ends once."""

import pytest

from tests.acceptance.scripted import Model, call, calls, text
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.drama import Drama, Starter, outputs
from tests.acceptance.wire.talk import ENDED, Api

ANSWER = "one two three four five six"


@pytest.fixture
def stage(starter: Starter, model: Model) -> Drama:
    return Drama.open(Api(starter().url), model)


def killed(starter: Starter, drama: Drama) -> Drama:
    """The same play on a server that was started after the first one was killed."""
    starter.running.kill()
    return drama.at(Api(starter().url))


def test_everything_acknowledged_is_there_after_a_kill(starter: Starter, model: Model):
    api = Api(starter().url)
    assistant = api.post("/assistants", {"model": model.name, "name": "kept"})
    thread = api.post("/threads", {"metadata": {"kept": "yes"}})
    message = api.post(f"/threads/{thread['id']}/messages", {"role": "user", "content": "kept"})
    renamed = api.post(f"/assistants/{assistant['id']}", {"name": "kept too"})
    gone = api.post("/threads")["id"]
    api.delete(f"/threads/{gone}")

    starter.running.kill()
    api = Api(starter().url)

    assert api.get(f"/assistants/{assistant['id']}") == renamed
    assert api.get(f"/threads/{thread['id']}") == thread
    assert api.get(f"/threads/{thread['id']}/messages")["data"] == [message]
    assert api.send("GET", f"/threads/{gone}").status == 404


def test_a_run_killed_right_after_its_answer_is_completed(starter: Starter, stage: Drama):
    stage.model.will(text(ANSWER), repeat=True)
    run = stage.start(additional_messages=[{"role": "user", "content": "More"}])

    after = killed(starter, stage)

    assert after.ended(run["id"])["status"] == "completed"
    assert after.said() == ["Hello", "More", ANSWER]
    assert len(stage.model.requests) <= 2
    assert after.is_free()


@pytest.mark.parametrize("moment", ["headers", 0, 1, 3], ids=["asked", "answered", "first word", "mid-stream"])
def test_a_run_killed_while_the_model_answers_is_asked_again_and_says_it_once(starter: Starter, stage: Drama, moment):
    stage.model.will(text(ANSWER, hold_before=moment), text(ANSWER))
    run = stage.start()
    stage.model.wait(held=1)

    after = killed(starter, stage)
    ended = after.ended(run["id"])

    assert ended["status"] == "completed"
    assert after.said() == ["Hello", ANSWER]
    assert [step["status"] for step in after.steps(run["id"])] == ["completed"]
    assert len(stage.model.requests) == 2
    assert stage.model.requests[0] == stage.model.requests[1]
    assert ended["created_at"] == run["created_at"]
    assert after.is_free()


def test_a_run_that_waits_for_its_client_waits_on_after_a_kill(starter: Starter, stage: Drama):
    stage.model.will(calls(call("look", id="call_1"), call("look", id="call_2")), text(ANSWER))
    run = stage.rested(stage.start()["id"])

    after = killed(starter, stage)

    assert after.run(run["id"]) == run
    after.submit(run)
    assert after.ended(run["id"])["status"] == "completed"
    assert after.said() == ["Hello", ANSWER]
    assert len(stage.model.requests) == 2


def test_outputs_that_were_accepted_are_not_asked_for_again(starter: Starter, stage: Drama):
    stage.model.will(calls(call("look", id="call_1")), text(ANSWER, hold_before="headers"), text(ANSWER))
    run = stage.rested(stage.start()["id"])
    stage.submit(run, "a fox")

    after = killed(starter, stage)
    # The kill may have come before the model was asked: then the turn that holds is the next one's.
    stage.model.release()
    ended = after.ended(run["id"])

    assert ended["status"] == "completed"
    called, said = after.steps(run["id"])
    assert called["step_details"]["tool_calls"][0]["function"]["output"] == "a fox"
    assert [called["status"], said["status"]] == ["completed", "completed"]
    assert after.said() == ["Hello", ANSWER]
    # The call that was answered is not repeated: only the one that was cut is.
    assert 2 <= len(stage.model.requests) <= 3
    assert [request["messages"][-1]["content"] for request in stage.model.requests[1:]] == ["a fox"] * (
        len(stage.model.requests) - 1
    )


def test_a_later_round_killed_repeats_no_earlier_one(starter: Starter, stage: Drama):
    rounds = [calls(call("look", id=f"call_{number}")) for number in range(3)]
    stage.model.will(*rounds, text(ANSWER, hold_before=2), text(ANSWER))
    run = stage.start()
    for number in range(3):
        run = stage.rested(run["id"])
        stage.submit(run, f"output {number}")
    before = stage.steps(run["id"])
    stage.model.wait(held=1)

    after = killed(starter, stage)

    assert after.ended(run["id"])["status"] == "completed"
    assert after.steps(run["id"])[:3] == before
    assert len(after.steps(run["id"])) == 4
    assert len(stage.model.requests) == 5


@pytest.mark.parametrize("moment", ["headers", 2], ids=["asked", "mid-stream"])
def test_a_run_killed_while_it_is_cancelled_is_cancelled(starter: Starter, stage: Drama, moment):
    stage.model.will(text(ANSWER, hold_before=moment))
    run = stage.start()
    stage.model.wait(held=1)
    assert stage.cancel(run["id"])["status"] in {"cancelling", "cancelled"}

    after = killed(starter, stage)
    ended = after.ended(run["id"])

    assert ended["status"] == "cancelled"
    assert ended["cancelled_at"] is not None
    assert len(stage.model.requests) == 1
    assert after.is_free()


def test_a_run_whose_time_ran_out_while_nobody_was_up_is_expired_and_no_model_asked(starter: Starter, model: Model):
    drama = Drama.open(Api(starter(RUNSTEAD_RUN_EXPIRES_AFTER="2").url), model)
    model.will(text(ANSWER, hold_before=0), text(ANSWER))
    run = drama.start()
    model.wait(held=1)
    starter.running.kill()
    _until(run["created_at"] + 2)

    after = drama.at(Api(starter().url))

    ended = after.ended(run["id"])
    assert ended["status"] == "expired"
    assert ended["expires_at"] == run["expires_at"]
    assert len(model.requests) == 1
    assert after.is_free()


def _until(moment: int) -> None:
    import time

    # The clock is the fact that is waited for.
    eventually(time.time, lambda now: now > moment)


def test_many_runs_killed_at_once_all_end(starter: Starter, model: Model):
    api = Api(starter().url)
    model.will(text(ANSWER, hold_before=2), repeat=True)
    dramas = [Drama.open(api, model) for _ in range(30)]
    runs = [drama.start()["id"] for drama in dramas]
    model.wait(held=30)
    model.will(text(ANSWER), repeat=True)

    starter.running.kill()
    api = Api(starter().url)

    after = [drama.at(api) for drama in dramas]
    assert {drama.ended(run)["status"] for drama, run in zip(after, runs, strict=True)} == {"completed"}
    assert all(drama.said() == ["Hello", ANSWER] for drama in after)
    assert len(model.requests) == 30


def test_a_run_that_kills_every_server_is_given_up_with_a_word(starter: Starter, model: Model):
    drama = Drama.open(Api(starter().url), model)
    model.will(text(ANSWER, hold_before=1), repeat=True)
    run = drama.start()["id"]
    for times in range(1, 4):
        model.wait(held=times)
        starter.running.kill()
        drama = drama.at(Api(starter().url))

    ended = drama.ended(run)

    assert ended["status"] == "failed"
    assert "stopped 3 times in a row" in ended["last_error"]["message"]
    assert drama.is_free()


def test_a_stream_that_a_kill_cut_can_be_replaced_by_looking(starter: Starter, stage: Drama):
    stage.model.will(text(ANSWER, hold_before=3), text(ANSWER))
    with stage.api.stream(f"{stage.path}/runs", {"assistant_id": stage.assistant}) as stream:
        run = stream.until("thread.run.created").json["id"]
        stream.until("thread.message.delta")
        after = killed(starter, stage)

    assert after.ended(run)["status"] == "completed"


def test_a_submission_cut_by_a_kill_was_taken_whole_or_not_at_all(starter: Starter, stage: Drama):
    stage.model.will(calls(call("look", id="call_1")), text(ANSWER), repeat=True)
    run = stage.rested(stage.start()["id"])
    connection = stage.api.connect_and_send("POST", f"{stage.path}/runs/{run['id']}/submit_tool_outputs", outputs(run))
    after = killed(starter, stage)
    connection.close()

    found = after.rested(run["id"])

    if found["status"] == "requires_action":
        assert found == run
        after.submit(run)
        found = after.ended(run["id"])
    assert found["status"] in ENDED
    assert after.said() == ["Hello", ANSWER]
