"""Comments that keep a silent stream open."""

import json
import subprocess
from collections.abc import Iterator

import pytest
from openai import OpenAI

from tests.acceptance.processes import Server, environment, program
from tests.acceptance.scripted import Model, ScriptedServer, text
from tests.acceptance.wire.drama import Drama
from tests.acceptance.wire.talk import Api, Raw, request

# Nobody who serves has a reason to change the interval, so there is no setting for it.
IMPATIENT = "from runstead.http import sse; sse.KEEP_ALIVE = 0.05; from runstead.cli import main; main()"
COMMENT = b": keep-alive\n"


@pytest.fixture
def impatient(scripted: ScriptedServer, data_dir) -> Iterator[Server]:
    """A server that speaks up after a twentieth of a second of silence."""
    data_dir.mkdir()
    log = data_dir / "server.log"
    command = [program("RUNSTEAD_PYTHON"), "-c", IMPATIENT, "serve", "--port", "0"]
    settings = environment(RUNSTEAD_DATA_DIR=str(data_dir), RUNSTEAD_MODEL_URL=scripted.url)
    with log.open("w") as errors:
        process = subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert process.stdout is not None
    with Server(process, process.stdout.readline(), data_dir, log) as running:
        yield running


def test_a_silent_stream_is_kept_open_with_comments_that_readers_skip(impatient: Server, model: Model):
    drama = Drama.open(Api(impatient.url), model)
    model.will(text("one two three", hold_before=2))
    body = json.dumps({"assistant_id": drama.assistant, "stream": True}).encode()
    with Raw(impatient.url) as raw:
        raw.send(request(b"POST", f"/v1{drama.path}/runs".encode(), body))
        seen = b""
        while seen.count(COMMENT) < 3:
            seen += raw.socket.recv(65_536)
        model.release()
        while b"data: [DONE]" not in seen:
            seen += raw.socket.recv(65_536)

    assert b"event: thread.run.completed" in seen
    assert impatient.stop() == 0
    assert impatient.complaints == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_official_client_takes_a_comment_for_no_event(impatient: Server, model: Model):
    drama = Drama.open(Api(impatient.url), model)
    model.will(text("one two three", hold_before=2))
    client = OpenAI(base_url=impatient.url, api_key="any", max_retries=0)
    names = []
    with client.beta.threads.runs.stream(thread_id=drama.thread, assistant_id=drama.assistant) as stream:
        for event in stream:
            names.append(event.event)
            if names.count("thread.message.delta") == 1:
                run = drama.api.get(f"{drama.path}/runs")["data"][0]["id"]
                let_comments_pass(impatient.url, f"/v1{drama.path}/runs/{run}/stream")
                model.release()

    assert names[-1] == "thread.run.completed"


def let_comments_pass(url: str, path: str) -> None:
    """Attach to a silent run for as long as it takes to be sent three comments; whoever came before had them too."""
    with Raw(url) as raw:
        raw.send(request(b"GET", path.encode()))
        seen = b""
        while seen.count(COMMENT) < 3:
            seen += raw.socket.recv(65_536)
