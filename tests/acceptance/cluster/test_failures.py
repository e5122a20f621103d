"""What dies is another's to go on with: nodes, the bus, the database."""

import signal
import time

from tests.acceptance.cluster.conftest import Cluster
from tests.acceptance.scripted import Model, call, calls, text
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.talk import Api
from tests.acceptance.wire.test_attaching import attached

WORDS = "one two three four five six"


def test_a_killed_node_s_run_goes_on_elsewhere_and_its_readers_see_the_end(cluster: Cluster, model: Model):
    dying, living = cluster.node(), cluster.node()
    drama = cluster.drama(dying, model)
    there = drama.at(Api(living.url))
    model.will(text(WORDS, hold_before=3), text("All over again"))
    run = drama.start()["id"]
    model.wait(held=1)
    with attached(there.api, there, run) as stream:
        stream.until("thread.message.delta")
        killed = time.monotonic()
        dying.kill()
        rest = stream.rest()
        assert time.monotonic() - killed < 12
    names = [event.name for event in rest]
    assert names[-2:] == ["thread.run.completed", "done"]
    assert names.index("thread.message.incomplete") < names.index("thread.message.created")
    assert "thread.run.step.failed" in names
    assert there.said() == ["Hello", "All over again"]
    assert [step["status"] for step in there.steps(run)] == ["completed"]


def test_a_stopped_node_hands_its_runs_over_at_once(cluster: Cluster, model: Model):
    leaving, staying = cluster.node(), cluster.node()
    drama = cluster.drama(leaving, model)
    there = drama.at(Api(staying.url))
    model.will(text(WORDS, hold_before=3), text("Handed over"))
    run = drama.start()["id"]
    model.wait(held=1)
    asked = time.monotonic()
    leaving.process.send_signal(signal.SIGTERM)
    assert there.ended(run)["status"] == "completed"
    # A lease lasts six seconds; nobody waited for it.
    assert time.monotonic() - asked < 4
    assert leaving.stop() == 0
    assert there.said() == ["Hello", "Handed over"]


def test_a_frozen_node_writes_and_says_nothing_when_it_wakes(cluster: Cluster, model: Model):
    frozen, living = cluster.node(RUNSTEAD_LEASE_FOR="2"), cluster.node(RUNSTEAD_LEASE_FOR="2")
    drama = cluster.drama(frozen, model)
    there = drama.at(Api(living.url))
    model.will(text(WORDS, hold_before=3), text("By another"))
    run = drama.start()["id"]
    model.wait(held=1)
    frozen.process.send_signal(signal.SIGSTOP)
    try:
        assert there.ended(run)["status"] == "completed"
        model.release(2)
    finally:
        frozen.process.send_signal(signal.SIGCONT)
    eventually(lambda: frozen.log, lambda log: "lease lost" in log)
    assert there.said() == ["Hello", "By another"]
    with attached(there.api, there, run) as stream:
        told = "".join(
            part["text"]["value"]
            for event in stream.rest()
            if event.name == "thread.message.delta"
            for part in event.json["delta"]["content"]
        )
    assert told.endswith("By another")
    assert "four" not in told


def test_without_nats_runs_go_on_and_new_ones_start(cluster: Cluster, model: Model):
    node = cluster.node()
    api_only = cluster.node("--role", "api")
    drama = cluster.drama(api_only, model)
    model.will(calls(call("look")), text(WORDS), repeat=True)
    run = drama.rested(drama.start()["id"])
    cluster.nats.kill()
    for server in (node, api_only):
        ready = lambda server=server: Api(server.url).send("GET", "//readyz")  # noqa: E731
        assert eventually(ready, lambda answer: answer.json["status"] == "degraded").status == 200
    asked = time.monotonic()
    drama.submit(run)
    assert drama.ended(run["id"])["status"] == "completed"
    assert time.monotonic() - asked < 6
    cluster.nats.start()
    eventually(lambda: Api(node.url).send("GET", "//readyz").json["status"], lambda word: word == "ready")


def test_without_its_database_a_node_says_so_and_heals(cluster: Cluster, model: Model):
    node = cluster.node()
    drama = cluster.drama(node, model)
    model.will(text(WORDS), repeat=True)
    done = drama.ended(drama.start()["id"])
    cluster.postgres.stop(signal.SIGKILL)
    try:
        refused = drama.api.send("GET", f"{drama.path}/runs/{done['id']}")
        assert refused.status == 503
        assert refused.headers["retry-after"]
        assert refused.error["type"] == "server_error"
        assert drama.api.send("GET", "//readyz").status == 503
        assert drama.api.send("GET", "//healthz").status == 200
    finally:
        cluster.postgres.start()
    assert eventually(lambda: drama.api.send("GET", "//readyz").status, lambda status: status == 200)
    assert drama.run(done["id"]) == done
    assert drama.ended(drama.start()["id"])["status"] == "completed"
