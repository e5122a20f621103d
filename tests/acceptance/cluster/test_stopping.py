"""Nodes that stop one after the other: whoever they accepted is answered, and what they began goes on elsewhere."""

import http.client
import signal
import threading
import time
from dataclasses import dataclass, field

from tests.acceptance.cluster.conftest import SHORT, Cluster
from tests.acceptance.cluster.load import Load
from tests.acceptance.cluster.test_partitions import HOWS, Partition
from tests.acceptance.processes import PATIENCE, Server
from tests.acceptance.scripted import Model, text
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.talk import Api, address
from tests.acceptance.wire.test_attaching import attached

WORDS = "one two three four five six"
DRAIN_FOR = 5.0


def leaves_in_time(node: Server) -> None:
    """The node is told to stop, and has left within the time that it was given for it."""
    told = time.monotonic()
    node.process.send_signal(signal.SIGTERM)
    assert node.process.wait(PATIENCE) == 0
    assert time.monotonic() - told < DRAIN_FOR + 0.5
    assert node.complaints == []


def test_a_rolling_restart_under_load_fails_no_request(cluster: Cluster):
    nodes = [cluster.node() for _ in range(3)]
    load = Load(list(nodes), clients=6)
    with load.going():
        for place, node in enumerate(nodes):
            load.more(6)
            leaves_in_time(node)
            load.nodes[place] = cluster.node()
        load.more(6)
    assert load.unavailable == {}
    # Each connection that was refused or broke was one to a node that was going.
    assert set(load.broken) <= {node.url for node in nodes}
    load.nothing_is_lost_or_doubled()


@dataclass
class Regular(threading.Thread):
    """A client that asks again and again on one connection, until the server ends it."""

    url: str
    statuses: list[int] = field(default_factory=list)
    unanswered: int = 0
    was_told: bool = False
    is_over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        connection = http.client.HTTPConnection(*address(self.url), timeout=20)
        connection.connect()
        try:
            while not self.was_told and not self.is_over.is_set():
                connection.request("POST", "/v1/threads", b"{}", {"content-type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                self.statuses.append(answer.status)
                self.was_told = answer.getheader("connection") == "close"
        except (OSError, http.client.HTTPException):
            self.unanswered += 1
        finally:
            connection.close()


def test_clients_that_keep_their_connection_are_told_to_leave_it(cluster: Cluster):
    leaving = cluster.node()
    cluster.node()
    clients = [Regular(leaving.url) for _ in range(8)]
    for client in clients:
        client.start()
    eventually(lambda: min(len(client.statuses) for client in clients), lambda least: least >= 5)
    leaves_in_time(leaving)
    for client in clients:
        client.join(PATIENCE)
    assert {status for client in clients for status in client.statuses} == {200}
    # None had to find out by a request that nobody answered.
    assert [client.unanswered for client in clients] == [0] * len(clients)
    assert all(client.was_told for client in clients)


def test_a_stopped_node_s_stream_goes_on_with_the_run_elsewhere(cluster: Cluster, model: Model):
    leaving, staying = cluster.node(), cluster.node()
    drama = cluster.drama(leaving, model)
    there = drama.at(Api(staying.url))
    model.will(text(WORDS, hold_before=3), text("Handed over"))
    run = drama.start()["id"]
    model.wait(held=1)
    with attached(drama.api, drama, run) as stream, attached(there.api, there, run) as other:
        stream.until("thread.message.delta")
        leaves_in_time(leaving)
        for reader in (stream, other):
            assert [event.name for event in reader.rest()][-2:] == ["thread.run.completed", "done"]
    assert there.said() == ["Hello", "Handed over"]


@HOWS
def test_a_node_that_is_cut_off_leaves_in_time(cluster: Cluster, model: Model, partition: Partition):
    database, wired = cluster.line_to_postgres()
    bus, wired_too = cluster.line_to_nats()
    leaving, staying = cluster.node(**SHORT, **wired, **wired_too), cluster.node(**SHORT)
    drama = cluster.drama(leaving, model)
    there = drama.at(Api(staying.url))
    model.will(text(WORDS, hold_before=3), text("By another"))
    run = drama.start()["id"]
    model.wait(held=1)
    with attached(drama.api, drama, run) as stream:
        stream.until("thread.message.delta")
        partition(database)
        partition(bus)
        leaves_in_time(leaving)
        assert [event.name for event in stream.rest()][-2:] == ["error", "done"]
    assert there.ended(run)["status"] == "completed"
    assert there.said() == ["Hello", "By another"]
