"""Any node answers for any run, whichever executes it."""

import time

import pytest

from tests.acceptance.cluster.conftest import Cluster
from tests.acceptance.processes import DidNotStart
from tests.acceptance.scripted import Model, call, calls, text
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.talk import Api
from tests.acceptance.wire.test_attaching import all_events, attached

WORDS = "one two three four five six"


def test_a_run_is_seen_streamed_and_answered_on_every_node(cluster: Cluster, model: Model):
    nodes = [cluster.node() for _ in range(3)]
    here = cluster.drama(nodes[0], model)
    there, elsewhere = here.at(Api(nodes[1].url)), here.at(Api(nodes[2].url))
    model.will(calls(call("look")), text(WORDS))
    run = here.rested(here.start()["id"])
    assert there.run(run["id"]) == run

    there.submit(run)

    assert elsewhere.ended(run["id"])["status"] == "completed"
    told = [all_events(drama.api, drama, run["id"]) for drama in (here, there, elsewhere)]
    assert told[0] == told[1] == told[2]
    assert told[0][-2].name == "thread.run.completed"


def test_a_live_stream_is_relayed_from_the_node_that_executes(cluster: Cluster, model: Model):
    here = cluster.drama(cluster.node(), model)
    there = here.at(Api(cluster.node().url))
    model.will(text(WORDS, hold_before=3))
    run = here.start()["id"]
    with attached(there.api, there, run) as stream:
        stream.until("thread.message.delta")
        model.release()
        rest = stream.rest()
    assert [event.name for event in rest][-2:] == ["thread.run.completed", "done"]
    places = [event.place for event in stream.seen[:-1]]
    assert places == sorted(set(places))


def test_a_run_is_cancelled_from_another_node_at_once(cluster: Cluster, model: Model):
    here = cluster.drama(cluster.node(), model)
    there = here.at(Api(cluster.node().url))
    model.will(text(WORDS, hold_before=3), repeat=True)
    run = here.start()["id"]
    model.wait(held=1)
    asked = time.monotonic()
    there.cancel(run)
    assert there.ended(run)["status"] == "cancelled"
    assert time.monotonic() - asked < 1.5
    model.wait(aborted=1)
    assert here.is_free()


def test_one_node_answers_and_another_executes(cluster: Cluster, model: Model):
    api = cluster.node("--role", "api")
    worker = cluster.node("--role", "worker")
    drama = cluster.drama(api, model)
    model.will(text(WORDS))
    assert drama.ended(drama.start()["id"])["status"] == "completed"
    assert Api(worker.url).send("GET", "/assistants").status == 404
    assert Api(worker.url).send("GET", "//readyz").status == 200


def test_a_second_node_without_nats_is_refused(cluster: Cluster):
    cluster.node(RUNSTEAD_NATS_URL="")
    for variables in ({"RUNSTEAD_NATS_URL": ""}, {}):
        with pytest.raises(DidNotStart, match="RUNSTEAD_NATS_URL"):
            cluster.node(**variables)


def test_a_single_node_needs_no_nats_and_takes_up_its_runs_at_its_start(cluster: Cluster, model: Model):
    node = cluster.node(RUNSTEAD_NATS_URL="")
    drama = cluster.drama(node, model)
    model.will(text(WORDS, hold_before=3), text(WORDS))
    run = drama.start()["id"]
    model.wait(held=1)
    node.kill()
    drama = drama.at(Api(eventually(lambda: _started(cluster), lambda node: node is not None).url))
    assert drama.ended(run)["status"] == "completed"
    assert drama.said() == ["Hello", WORDS]


def _started(cluster: Cluster):
    """A node, or None while the server has not noticed that the one before it is dead."""
    try:
        return cluster.node(RUNSTEAD_NATS_URL="")
    except DidNotStart:
        return None


def test_all_nodes_share_the_work(cluster: Cluster, model: Model):
    nodes = [cluster.node(RUNSTEAD_MAX_RUNS="2") for _ in range(3)]
    model.will(text(WORDS, hold_before=1), repeat=True)
    dramas = [cluster.drama(nodes[0], model) for _ in range(6)]
    runs = [drama.start()["id"] for drama in dramas]
    model.wait(held=6)
    model.release(6)
    for drama, run in zip(dramas, runs, strict=True):
        assert drama.ended(run)["status"] == "completed"
