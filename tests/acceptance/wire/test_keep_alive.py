"""Comments that keep a silent stream open."""

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.acceptance.processes import Server, environment, program
from tests.acceptance.scripted import Model, ScriptedServer, text
from tests.acceptance.wire.drama import Drama
from tests.acceptance.wire.talk import Api, Raw, request

# Nobody who serves has a reason to change the interval, so there is no setting for it.
IMPATIENT = "from runstead.http import sse; sse.KEEP_ALIVE = 0.05; from runstead.cli import main; main()"
COMMENT = b": keep-alive\n\n"


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
