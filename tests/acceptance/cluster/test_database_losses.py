"""PostgreSQL restarted, killed, replaced by its standby: clients are told to come again, and nothing is lost."""

import signal
from collections.abc import Iterator

import pytest

from tests.acceptance.cluster.conftest import SHORT, Cluster
from tests.acceptance.cluster.load import Load
from tests.acceptance.scripted import Model, text
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.talk import Api
from tests.acceptance.wire.test_attaching import attached
from tests.contract.postgres_server import PostgresServer, a_server

WORDS = "one two three four five six"
HOWS = {"killed": signal.SIGKILL, "restarted fast": signal.SIGINT, "restarted at once": signal.SIGQUIT}


@pytest.fixture(params=HOWS, ids=lambda how: how.replace(" ", "-"))
def how(request: pytest.FixtureRequest) -> int:
    """The signal that ends the server."""
    return HOWS[request.param]


def test_postgresql_is_killed_or_restarted_under_load(cluster: Cluster, how: int):
    load = Load([cluster.node(), cluster.node()])
    with load.going():
        for _ in range(2):
            load.more(6)
            cluster.postgres.stop(how)
            eventually(lambda: Api(load.nodes[0].url).send("GET", "//readyz").status, lambda status: status == 503)
            cluster.postgres.start()
        load.more(6)
    load.nothing_is_lost_or_doubled()


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


def test_streams_stay_open_while_postgresql_is_away(cluster: Cluster, model: Model):
    here = cluster.drama(cluster.node(**SHORT), model)
    there = here.at(Api(cluster.node(**SHORT).url))
    model.will(text(WORDS, hold_before=3), text("All over again"))
    run = here.start()["id"]
    model.wait(held=1)
    with attached(here.api, here, run) as stream, attached(there.api, there, run) as other:
        stream.until("thread.message.delta")
        other.until("thread.message.delta")
        cluster.postgres.stop(signal.SIGKILL)
        try:
            # Nobody may believe for longer than its lease that the run is its own.
            model.wait(aborted=1)
        finally:
            cluster.postgres.start()
        for reader in (stream, other):
            assert [event.name for event in reader.rest()][-2:] == ["thread.run.completed", "done"]
    assert there.said() == ["Hello", "All over again"]


@pytest.fixture
def pair(cluster: Cluster) -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """A primary that holds the test's database, and a standby that has every commit before it is acknowledged."""
    with a_server() as primary:
        primary.sql(f"CREATE DATABASE {cluster.database}")
        with a_server(primary) as standby:
            primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.sql("SELECT pg_reload_conf()")
            eventually(lambda: primary.sql("SELECT sync_state FROM pg_stat_replication"), lambda state: state == "sync")
            yield primary, standby


def test_postgresql_fails_over(cluster: Cluster, pair: tuple[PostgresServer, PostgresServer]):
    primary, standby = pair
    cluster.postgres = primary
    line, wired = cluster.line_to_postgres()
    load = Load([cluster.node(**wired), cluster.node(**wired)])
    with load.going():
        load.more(8)
        primary.stop(signal.SIGKILL)
        line.lead_to(standby.port)
        # Not yet promoted: it answers, and takes no writes.
        eventually(lambda: Api(load.nodes[0].url).send("POST", "/threads", {}).status, lambda status: status == 503)
        standby.promote()
        load.more(8)
    load.nothing_is_lost_or_doubled()
