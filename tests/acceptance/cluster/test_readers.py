"""Readers of a run that another node executes: their own node dies, they do not read, or they only wait for its end."""

import http.client
import json

from tests.acceptance.cluster.conftest import Cluster
from tests.acceptance.scripted import Model, text
from tests.acceptance.wire.talk import Api, Event, Raw, Stream, request
from tests.acceptance.wire.test_attaching import all_events, attached

WORDS = "one two three four five six"
A_LOT = " ".join(f"word{number}" for number in range(12_000))
"""More, as events, than is held for any reader."""


def test_the_api_node_with_the_stream_dies(cluster: Cluster, model: Model):
    dying, living = (cluster.node("--role", "api") for _ in range(2))
    cluster.node("--role", "worker")
    here = cluster.drama(dying, model)
    there = here.at(Api(living.url))
    model.will(text(WORDS, hold_before=3))
    with here.api.stream(f"{here.path}/runs", {"assistant_id": here.assistant}) as stream:
        stream.until("thread.message.delta")
        model.wait(held=1)
        dying.kill()
        left = what_is_left(stream)
    assert [event.name for event in left if event.name == "done"] == []
    run = stream.seen[0].json["id"]
    with attached(there.api, there, run, Last_Event_ID=str(stream.seen[-1].id)) as again:
        model.release()
        rest = again.rest()
    assert [*stream.seen, *rest] == all_events(there.api, there, run)
    assert rest[-2].name == "thread.run.completed"


def test_who_waits_for_a_run_is_answered_when_it_ends_elsewhere(cluster: Cluster, model: Model):
    asked = cluster.node("--role", "api")
    cluster.node("--role", "worker")
    drama = cluster.drama(asked, model)
    model.will(text(WORDS, hold_before=3))
    run = drama.start()["id"]
    model.wait(held=1)
    with Raw(asked.url) as raw:
        raw.send(request(b"GET", f"/v1{drama.path}/runs/{run}?wait=60".encode()))
        assert drama.run(run)["status"] == "in_progress"
        model.release()
        assert raw.read().json["status"] == "completed"


def what_is_left(stream: Stream) -> list[Event]:
    try:
        return stream.rest()
    except (OSError, http.client.HTTPException):
        return []


def test_a_reader_is_slow(cluster: Cluster, model: Model):
    reading = cluster.node("--role", "api")
    cluster.node("--role", "worker")
    drama, other = cluster.drama(reading, model), cluster.drama(reading, model)
    model.will(text(A_LOT, hold_before=1), text(WORDS))
    run = drama.start()["id"]
    model.wait(held=1)
    with Raw(reading.url, receive_buffer=4_096) as raw:
        raw.send(request(b"GET", f"/v1{drama.path}/runs/{run}/stream".encode()))
        model.release()
        assert drama.ended(run)["status"] == "completed"
        # Nobody else on its node waits for it.
        assert other.ended(other.start()["id"])["status"] == "completed"
        assert all_events(other.api, drama, run)[-2].name == "thread.run.completed"
        # It looked away until everything was said, and misses nothing.
        answer = raw.read()
    assert answer.status == 200
    assert said_in(answer.body) == A_LOT
    assert answer.body.endswith(b"event: done\ndata: [DONE]\n\n")
    assert reading.complaints == []


def said_in(body: bytes) -> str:
    deltas = [
        frame.partition(b"data: ")[2] for frame in body.split(b"\n\n") if b"event: thread.message.delta\n" in frame
    ]
    return "".join(part["text"]["value"] for delta in deltas for part in json.loads(delta)["delta"]["content"])
