"""Runs that meet their deadline, over v1, on a server that gives them two seconds."""

from collections.abc import Iterator

import pytest
from openai import OpenAI

from tests.acceptance.conftest import KEY
from tests.acceptance.processes import start_server
from tests.acceptance.scene import WEATHER, Scene
from tests.acceptance.scripted import call, calls, text
from tests.acceptance.transcript import assert_golden
from tests.acceptance.waiting import eventually


@pytest.fixture(scope="module")
def hasty(scripted, tmp_path_factory) -> Iterator[OpenAI]:
    data_dir = tmp_path_factory.mktemp("hasty")
    with (
        start_server(data_dir, scripted.url, RUNSTEAD_RUN_EXPIRES_AFTER="2") as server,
        OpenAI(base_url=server.url, api_key=KEY, timeout=60) as client,
    ):
        yield client
        assert server.complaints == []


def test_a_run_whose_outputs_never_come_expires(hasty, model) -> None:
    scene = Scene.open(hasty, model, "Weather?", tools=[WEATHER])
    model.will(calls(call("get_weather")))
    waiting = scene.run()

    ended = eventually(lambda: scene.reload(waiting), lambda run: run.status != "requires_action")

    [step] = scene.steps(ended)
    assert (ended.status, ended.expires_at, ended.required_action) == ("expired", ended.created_at + 2, None)
    assert (step.status, step.expired_at is None) == ("expired", False)


def test_a_run_whose_model_is_silent_expires(hasty, model) -> None:
    scene = Scene.open(hasty, model, "Hello")
    model.will(text("One two three", hold_before=3))

    ended = scene.events()[-1]

    [_, message] = scene.messages()
    assert (ended.event, ended.data.status) == ("thread.run.expired", "expired")
    assert (message.status, message.incomplete_details.reason) == ("incomplete", "run_expired")


def test_a_deadline_in_the_middle_of_an_answer(hasty, model) -> None:
    scene = Scene.open(hasty, model, "Hello")
    model.will(text("One two three", hold_before=3))

    assert_golden("v1-expired", scene.events(), model=model.name)
