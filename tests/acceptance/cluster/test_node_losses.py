"""Nodes that die, leave or stand still: their runs are another's to go on with."""

import signal
import time

from tests.acceptance.cluster.conftest import Cluster
from tests.acceptance.processes import PATIENCE
from tests.acceptance.scripted import Model, text
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
    assert leaving.process.wait(PATIENCE) == 0
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
