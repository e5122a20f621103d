"""NATS down, wiped, without a leader: runs go on and new ones start, and nothing is lost."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.cluster.conftest import SHORT, Cluster
from tests.acceptance.cluster.load import Load
from tests.acceptance.cluster.nats_servers import NatsServers
from tests.acceptance.processes import Server
from tests.acceptance.scripted import Model, call, calls, text
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.talk import Answer, Api
from tests.acceptance.wire.test_attaching import all_events, attached

WORDS = "one two three four five six"


def readiness(node: Server) -> Answer:
    return Api(node.url).send("GET", "//readyz")


def is_ready(*nodes: Server) -> None:
    for node in nodes:
        eventually(partial(readiness, node), lambda answer: answer.json["status"] == "ready")


def is_degraded(*nodes: Server) -> None:
    for node in nodes:
        assert eventually(partial(readiness, node), lambda answer: answer.json["status"] == "degraded").status == 200


def test_the_single_nats_server_is_killed(cluster: Cluster, model: Model):
    node, api_only = cluster.node(), cluster.node("--role", "api")
    drama = cluster.drama(api_only, model)
    model.will(calls(call("look")), text(WORDS), repeat=True)
    run = drama.rested(drama.start()["id"])
    cluster.nats.kill()
    is_degraded(node, api_only)
    asked = time.monotonic()
    drama.submit(run)
    assert drama.ended(run["id"])["status"] == "completed"
    assert time.monotonic() - asked < 6
    cluster.nats.start()
    is_ready(node, api_only)


def test_new_runs_start_without_nats(cluster: Cluster, model: Model):
    node, api_only = cluster.node(), cluster.node("--role", "api")
    here, there = cluster.drama(node, model), cluster.drama(api_only, model)
    cluster.nats.kill()
    is_degraded(node, api_only)
    model.will(text(WORDS), repeat=True)
    asked = time.monotonic()
    here.start()
    model.wait(requests=1)
    # With room where it was accepted, nobody has to be told: in the rows it would be found two seconds later.
    assert time.monotonic() - asked < 2
    asked = time.monotonic()
    there.start()
    model.wait(requests=2)
    # Found in the rows: two seconds, and a reconciler's round.
    assert time.monotonic() - asked < 4.5


def test_a_run_is_cancelled_from_another_node_without_nats(cluster: Cluster, model: Model):
    here = cluster.drama(cluster.node(), model)
    there = here.at(Api(cluster.node().url))
    model.will(text(WORDS, hold_before=3), repeat=True)
    run = here.start()["id"]
    model.wait(held=1)
    cluster.nats.kill()
    asked = time.monotonic()
    there.cancel(run)
    assert there.ended(run)["status"] == "cancelled"
    model.wait(aborted=1)
    assert time.monotonic() - asked < 5


def test_the_data_of_nats_is_wiped(cluster: Cluster, model: Model):
    # One seat each, so that some runs are only queued.
    nodes = [cluster.node(RUNSTEAD_MAX_RUNS="1") for _ in range(2)]
    here = [cluster.drama(nodes[0], model) for _ in range(4)]
    model.will(text(WORDS, hold_before=3), repeat=True)
    runs = [drama.start()["id"] for drama in here]
    model.wait(held=2)
    there = [drama.at(Api(nodes[1].url)) for drama in here]
    with attached(here[0].api, here[0], runs[0]) as stream, attached(there[3].api, there[3], runs[3]) as waiting:
        stream.until("thread.message.delta")
        waiting.until("thread.run.queued")
        cluster.nats.kill()
        cluster.nats.wipe()
        cluster.nats.start()
        is_ready(*nodes)
        model.release(4)
        for reader in (stream, waiting):
            names = [event.name for event in reader.rest()]
            # The whole of it, or a word about what is missing: never an end that looks like one and is none.
            assert names[-2:] in (["thread.run.completed", "done"], ["error", "done"])
    for drama, run in zip(here, runs, strict=True):
        assert drama.ended(run)["status"] == "completed"
        assert drama.said() == ["Hello", WORDS]
        # What was told before is gone from the replay, and whoever asks for all of it is told from the rows.
        assert [event.name for event in all_events(drama.api, drama, run)][-2:] == ["thread.run.completed", "done"]
    assert len(model.calls) == 4


def test_nats_is_wiped_again_and_again_under_load(cluster: Cluster):
    nodes = [cluster.node() for _ in range(2)]
    load = Load(nodes)
    with load.going():
        for _ in range(3):
            load.more(6)
            cluster.nats.kill()
            load.more(2)
            cluster.nats.wipe()
            cluster.nats.start()
    assert load.unavailable == {}
    load.nothing_is_lost_or_doubled()


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[NatsServers]:
    """Three that elect a leader."""
    with NatsServers.started(tmp_path / "three", 3) as running:
        yield running


def test_the_leader_of_a_nats_cluster_is_killed(cluster: Cluster, servers: NatsServers):
    shared = {"RUNSTEAD_NATS_URL": servers.url, "RUNSTEAD_NATS_REPLICAS": "3"}
    load = Load([cluster.node(**SHORT, **shared), cluster.node(**SHORT, **shared)])
    assert servers.copies("runstead_offers_1") == servers.copies("runstead_events_1") == 3
    with load.going():
        load.more(6)
        servers.kill_leader("runstead_events_1")
        load.more(12)
    assert load.unavailable == {}
    load.nothing_is_lost_or_doubled()
