"""Runs that meet their deadline, on a server that gives them two seconds."""

from collections.abc import Iterator

import pytest
from openai import BadRequestError, OpenAI

from tests.acceptance.conftest import KEY
from tests.acceptance.processes import start_server
from tests.acceptance.refusals import message_of
from tests.acceptance.scene import WEATHER, Scene, answers, said
from tests.acceptance.scripted import Model, ScriptedServer, call, calls, text
from tests.acceptance.transcript import assert_golden
from tests.acceptance.waiting import eventually


@pytest.fixture(scope="module")
def hasty(scripted: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAI]:
    data_dir = tmp_path_factory.mktemp("hasty")
    with (
        start_server(data_dir, scripted.url, RUNSTEAD_RUN_EXPIRES_AFTER="2") as server,
        OpenAI(base_url=server.url, api_key=KEY, timeout=60) as client,
    ):
        yield client
        assert server.complaints == []


def test_a_run_whose_outputs_never_come_expires(hasty: OpenAI, model: Model) -> None:
    scene = Scene.open(hasty, model, "Weather?", tools=[WEATHER])
    model.will(calls(call("get_weather")), text("Too late"))
    waiting = scene.run()

    ended = eventually(lambda: scene.reload(waiting), lambda run: run.status != "requires_action")

    [step] = scene.steps(ended)
    assert waiting.expires_at == waiting.created_at + 2
    assert (ended.status, ended.expires_at, ended.required_action) == ("expired", waiting.expires_at, None)
    assert (ended.completed_at, ended.cancelled_at, ended.failed_at) == (None, None, None)
    assert (step.status, step.expired_at is None) == ("expired", False)
    with pytest.raises(BadRequestError) as refused:
        scene.runs.submit_tool_outputs(
            waiting.id, thread_id=scene.thread.id, tool_outputs=answers(waiting, get_weather="sunny")
        )
    assert message_of(refused) == 'Runs in status "expired" do not accept tool outputs.'


def test_a_run_whose_model_is_silent_expires_and_keeps_what_was_said(hasty: OpenAI, model: Model) -> None:
    scene = Scene.open(hasty, model, "Hello")
    model.will(text("One two three", hold_before=3), text("At last"))

    events = scene.events()

    run = events[-1].data
    [_, message] = scene.messages()
    [step] = scene.steps(run)
    assert [event.event for event in events][-3:] == [
        "thread.message.incomplete",
        "thread.run.step.expired",
        "thread.run.expired",
    ]
    assert (run.status, run.expires_at) == ("expired", run.created_at + 2)
    assert said(message) == "One two"
    assert (message.status, message.incomplete_details.reason) == ("incomplete", "run_expired")
    assert (step.status, step.expired_at is None) == ("expired", False)
    model.wait(aborted=1)
    # The thread is free again.
    scene.say("Again?")
    assert scene.run().status == "completed"


def test_an_expired_run_cannot_be_cancelled(hasty: OpenAI, model: Model) -> None:
    scene = Scene.open(hasty, model, "Hello")
    model.will(text("Nothing", hold_before="headers"))
    run = scene.run()

    with pytest.raises(BadRequestError) as refused:
        scene.runs.cancel(run.id, thread_id=scene.thread.id)

    assert run.status == "expired"
    assert message_of(refused) == "Cannot cancel run with status 'expired'."


def test_a_deadline_in_the_middle_of_an_answer(hasty: OpenAI, model: Model) -> None:
    scene = Scene.open(hasty, model, "Hello")
    model.will(text("One two three", hold_before=3))

    assert_golden("v2-expired", scene.events(), model=model.name)
