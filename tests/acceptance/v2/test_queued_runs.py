"""Runs that wait for room, on a server that works on one run at a time."""

from collections.abc import Iterator

import pytest
from openai import OpenAI

from tests.acceptance.conftest import KEY
from tests.acceptance.processes import start_server
from tests.acceptance.refusals import bad_request, refusal
from tests.acceptance.scene import Scene, read_until
from tests.acceptance.scripted import Model, ScriptedServer, text


@pytest.fixture(scope="module")
def narrow(scripted: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAI]:
    data_dir = tmp_path_factory.mktemp("narrow")
    with (
        start_server(data_dir, scripted.url, RUNSTEAD_MAX_RUNS="1") as server,
        OpenAI(base_url=server.url, api_key=KEY, timeout=60) as client,
    ):
        yield client
        assert server.complaints == []


@pytest.fixture
def busy(narrow: OpenAI, model: Model, scripted: ScriptedServer) -> Iterator[Model]:
    """The model that keeps the only place taken, until it is released."""
    slow = scripted.model(f"{model.name}-slow")
    slow.will(text("Fine", hold_before="headers"))
    scene = Scene.open(narrow, slow, "Hello")
    run = scene.start()
    slow.wait(held=1)
    yield slow
    slow.release()
    assert scene.settled(run).status == "completed"


def test_a_run_waits_queued_until_there_is_room(narrow: OpenAI, busy: Model, model: Model) -> None:
    scene = Scene.open(narrow, model, "Hello")
    run = scene.start()

    queued = scene.reload(run)
    busy.release()
    done = scene.settled(run)

    assert queued == run
    assert (queued.status, queued.started_at) == ("queued", None)
    assert (done.status, scene.answer) == ("completed", "Echo: Hello")


def test_a_stream_of_a_waiting_run_goes_on_when_there_is_room(narrow: OpenAI, busy: Model, model: Model) -> None:
    scene = Scene.open(narrow, model, "Hello")
    stream = scene.start(stream=True)

    first = read_until(stream, "thread.run.queued")
    busy.release()
    rest = list(stream)

    assert [event.event for event in first] == ["thread.run.created", "thread.run.queued"]
    assert (rest[0].event, rest[-1].event) == ("thread.run.in_progress", "thread.run.completed")


def test_a_waiting_run_is_cancelled_at_once_and_never_asks_the_model(narrow: OpenAI, busy: Model, model: Model) -> None:
    scene = Scene.open(narrow, model, "Hello")
    run = scene.start()

    scene.runs.cancel(run.id, thread_id=scene.thread.id)
    cancelled = scene.reload(run)

    assert (cancelled.status, cancelled.started_at, cancelled.cancelled_at is None) == ("cancelled", None, False)
    scene.say("The thread is free again")
    assert model.calls == []


def test_a_waiting_run_locks_its_thread(narrow: OpenAI, busy: Model, model: Model) -> None:
    scene = Scene.open(narrow, model, "Hello")
    run = scene.start()

    assert refusal(scene.start) == bad_request(f"Thread {scene.thread.id} already has an active run {run.id}.")
    scene.runs.cancel(run.id, thread_id=scene.thread.id)
