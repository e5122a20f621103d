"""A node that is cut off: from the database, from the bus, from both; with its connections broken, or only silent."""

import time
from collections.abc import Callable

import pytest

from tests.acceptance.cluster.conftest import SHORT, Cluster
from tests.acceptance.cluster.lines import Line
from tests.acceptance.processes import Server
from tests.acceptance.scripted import Model, text
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.drama import Drama
from tests.acceptance.wire.talk import Answer, Api, Event
from tests.acceptance.wire.test_attaching import all_events, attached

WORDS = "one two three four five six"
BOUND = 9.0
"""Seconds in which whoever asks a node that is cut off has an answer."""

HOWS = pytest.mark.parametrize("partition", [Line.cut, Line.block], ids=["broken", "silent"])
Partition = Callable[[Line], None]


def readiness(node: Server) -> Answer:
    return Api(node.url).send("GET", "//readyz")


def is_ready_again(node: Server) -> None:
    eventually(lambda: readiness(node).json["status"], lambda word: word == "ready")


def told(events: list[Event]) -> str:
    """The words of a stream."""
    return "".join(
        part["text"]["value"]
        for event in events
        if event.name == "thread.message.delta"
        for part in event.json["delta"]["content"]
    )


def refuses(drama: Drama, method: str, path: str, body: object = None) -> None:
    """A request is told to come again, soon, in the API's shape."""
    asked = time.monotonic()
    answer = drama.api.send(method, path, body)
    assert answer.status == 503, answer
    assert answer.error["type"] == "server_error"
    assert int(answer.headers["retry-after"]) >= 1
    assert time.monotonic() - asked < BOUND


@HOWS
def test_a_worker_without_its_database_is_relieved_and_says_nothing_more(
    cluster: Cluster, model: Model, partition: Partition
):
    line, wired = cluster.line_to_postgres()
    cut_off, living = cluster.node(**SHORT, **wired), cluster.node(**SHORT)
    here = cluster.drama(cut_off, model)
    there = here.at(Api(living.url))
    model.will(text(WORDS, hold_before=3), text("By another"), text("Next"))
    run = here.start()["id"]
    model.wait(held=1)
    with attached(here.api, here, run) as stream, attached(there.api, there, run) as other:
        stream.until("thread.message.delta")
        partition(line)
        assert there.ended(run)["status"] == "completed"
        # The node let go of the model by itself before its lease ended: what it would say is said to nobody.
        model.wait(aborted=1)
        model.release(2)
        for reader in (stream, other):
            assert [event.name for event in reader.rest()][-2:] == ["thread.run.completed", "done"]
            assert told(reader.seen).endswith("By another")
            assert "four" not in told(reader.seen)
        assert readiness(cut_off).status == 503
        assert here.api.send("GET", "//healthz").status == 200
        refuses(here, "GET", f"{here.path}/runs/{run}")
        refuses(here, "POST", "/threads", {})
    line.restore()
    is_ready_again(cut_off)
    assert len(model.calls) == 2
    assert here.said() == ["Hello", "By another"]
    assert "four" not in told(all_events(here.api, here, run))
    assert here.ended(here.start()["id"])["status"] == "completed"


@HOWS
def test_a_worker_without_the_bus_goes_on_and_its_runs_are_not_doubled(
    cluster: Cluster, model: Model, partition: Partition
):
    line, wired = cluster.line_to_nats()
    cut_off, living = cluster.node(**SHORT, **wired), cluster.node(**SHORT)
    here = cluster.drama(cut_off, model)
    there = here.at(Api(living.url))
    model.will(text(WORDS, hold_before=3), text("Next"))
    run = here.start()["id"]
    model.wait(held=1)
    with attached(here.api, here, run) as stream, attached(there.api, there, run) as other:
        stream.until("thread.message.delta")
        other.until("thread.message.delta")
        partition(line)
        # Three leases long, which is also time enough to notice that nothing answers any more.
        eventually(lambda: readiness(cut_off).json["status"], lambda word: word == "degraded")
        assert readiness(cut_off).status == 200
        model.release()
        assert [event.name for event in stream.rest()][-2:] == ["thread.run.completed", "done"]
        assert told(stream.seen) == WORDS
        # This one cannot be told the words any more; that the run has ended it is told in any case.
        assert [event.name for event in other.rest()][-2] in ("thread.run.completed", "error")
    assert there.run(run)["status"] == "completed"
    assert len(model.calls) == 1
    asked = time.monotonic()
    assert here.ended(here.start()["id"])["status"] == "completed"
    assert time.monotonic() - asked < 3
    line.restore()
    is_ready_again(cut_off)
    assert there.said() == ["Hello", WORDS, "Next"]


@HOWS
def test_a_worker_without_either_is_relieved_and_says_nothing_more(
    cluster: Cluster, model: Model, partition: Partition
):
    database, wired = cluster.line_to_postgres()
    bus, wired_too = cluster.line_to_nats()
    cut_off, living = cluster.node(**SHORT, **wired, **wired_too), cluster.node(**SHORT)
    here = cluster.drama(cut_off, model)
    there = here.at(Api(living.url))
    model.will(text(WORDS, hold_before=3), text("By another"))
    run = here.start()["id"]
    model.wait(held=1)
    with attached(here.api, here, run) as stream, attached(there.api, there, run) as other:
        stream.until("thread.message.delta")
        partition(database)
        partition(bus)
        assert there.ended(run)["status"] == "completed"
        model.wait(aborted=1)
        model.release(2)
        assert [event.name for event in other.rest()][-2:] == ["thread.run.completed", "done"]
        assert told(other.seen).endswith("By another")
        assert "four" not in told(other.seen)
        refuses(here, "GET", f"{here.path}/runs/{run}")
        database.restore()
        bus.restore()
        # What this reader missed is read back where it is kept.
        assert [event.name for event in stream.rest()][-2:] == ["thread.run.completed", "done"]
        assert told(stream.seen) == told(other.seen)
    is_ready_again(cut_off)
    assert len(model.calls) == 2
    assert there.said() == ["Hello", "By another"]
