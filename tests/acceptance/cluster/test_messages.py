"""Messages that come twice, late, never, or from nobody; clocks that disagree; nodes that are too many or too few."""

import asyncio
import time
from pathlib import Path

import nats

from tests.acceptance.cluster.conftest import SHORT, Cluster
from tests.acceptance.processes import Server
from tests.acceptance.scripted import Model, call, calls, text
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.drama import Drama
from tests.acceptance.wire.talk import Api

WORDS = "one two three four five six"
SKEWED = str(Path(__file__).parent / "skewed")


def publish(cluster: Cluster, *messages: tuple[str, bytes]) -> None:
    """Say something on the bus as anybody could."""

    async def say() -> None:
        client = await nats.connect(cluster.nats.url)
        for subject, payload in messages:
            await client.publish(f"runstead.{subject}", payload)
        await client.flush()
        await client.close()

    asyncio.run(say())


def is_sound(*nodes: Server) -> None:
    """Each node lives, and had no error of its own."""
    for node in nodes:
        assert Api(node.url).send("GET", "//readyz").json["status"] == "ready"
        assert node.complaints == []


def test_an_offer_is_delivered_twice(cluster: Cluster, model: Model):
    nodes = [cluster.node() for _ in range(2)]
    drama = cluster.drama(nodes[0], model)
    model.will(text(WORDS, hold_before=3), text("Next"))
    run = drama.start()["id"]
    model.wait(held=1)
    for _ in range(10):
        publish(cluster, (f"offer.{run}", run.encode()))
    model.release()
    assert drama.ended(run)["status"] == "completed"
    for _ in range(10):
        publish(cluster, (f"offer.{run}", run.encode()))
    # Those before it were taken when this one, which came after them, has ended.
    assert drama.ended(drama.start()["id"])["status"] == "completed"
    assert len(model.calls) == 2
    assert drama.said() == ["Hello", WORDS, "Next"]
    is_sound(*nodes)


def test_a_cancellation_comes_that_nobody_asked_for_or_too_late(cluster: Cluster, model: Model):
    nodes = [cluster.node() for _ in range(2)]
    drama = cluster.drama(nodes[0], model)
    model.will(text("First"), text(WORDS, hold_before=3))
    old = drama.ended(drama.start()["id"])["id"]
    run = drama.start()["id"]
    model.wait(held=1)
    owner = cluster.postgres.sql(f"SELECT owner FROM runs WHERE id = '{run}'", cluster.database)
    publish(cluster, (f"cancel.{owner}", old.encode()), (f"cancel.{owner}", run.encode()), ("cancel.node_x", b"run_x"))
    model.release()
    assert drama.ended(run)["status"] == "completed"
    assert drama.said() == ["Hello", "First", WORDS]
    is_sound(*nodes)


def test_messages_come_that_nobody_can_understand(cluster: Cluster, model: Model):
    node, api_only = cluster.node(), cluster.node("--role", "api")
    drama = cluster.drama(api_only, model)
    model.will(text(WORDS, hold_before=3), text("Next"))
    run = drama.start()["id"]
    model.wait(held=1)
    owner = cluster.postgres.sql(f"SELECT owner FROM runs WHERE id = '{run}'", cluster.database)
    for number, payload in enumerate([b"", b"\xff\xfe", b"run_\0", b"run_nobody", b"{}", b"x" * 100_000]):
        publish(cluster, *((f"{kind}", payload) for kind in (f"offer.{number}", f"cancel.{owner}", f"event.{run}")))
    model.release()
    assert drama.ended(run)["status"] == "completed"
    # The node still takes what is offered.
    assert drama.ended(drama.start()["id"])["status"] == "completed"
    is_sound(node, api_only)


def test_a_publish_is_lost(cluster: Cluster, model: Model):
    line, wired = cluster.line_to_nats()
    accepting = cluster.node("--role", "api", **wired)
    working = cluster.node()
    drama = cluster.drama(accepting, model)
    there = drama.at(Api(working.url))
    model.will(text(WORDS))
    # The offer leaves the node and arrives nowhere, and then the node is gone.
    line.block()
    asked = time.monotonic()
    run = drama.start()["id"]
    accepting.kill()
    model.wait(requests=1)
    assert time.monotonic() - asked < 4.5
    assert there.ended(run)["status"] == "completed"
    line.restore()
    assert len(model.calls) == 1


def test_several_nodes_claim_at_once(cluster: Cluster, model: Model):
    accepting = cluster.node("--role", "api")
    working = [cluster.node("--role", "worker") for _ in range(3)]
    model.will(text(WORDS), repeat=True)
    cluster.nats.kill()
    dramas = [cluster.drama(accepting, model) for _ in range(12)]
    # Nobody is told, so that all of them find all of these in the same rounds.
    runs = [drama.start()["id"] for drama in dramas]
    for drama, run in zip(dramas, runs, strict=True):
        assert drama.ended(run)["status"] == "completed"
        assert drama.said() == ["Hello", WORDS]
    assert len(model.calls) == len(runs)
    assert all(node.complaints == [] for node in working)
    cluster.nats.start()


def test_runs_expire_when_every_node_but_one_is_dead(cluster: Cluster, model: Model):
    nodes = [cluster.node(**SHORT, RUNSTEAD_RUN_EXPIRES_AFTER="4") for _ in range(3)]
    held, waiting = cluster.drama(nodes[0], model), cluster.drama(nodes[1], model)
    model.will(calls(call("look")), text(WORDS, hold_before=3), repeat=True)
    asked = waiting.rested(waiting.start()["id"])["id"]
    run = held.start()["id"]
    model.wait(held=1)
    for node in nodes[:2]:
        node.kill()
    for drama, id in ((held, run), (waiting, asked)):
        there = drama.at(Api(nodes[2].url))
        assert there.ended(id)["status"] == "expired"
        assert there.is_free()


def keeps_its_run(cluster: Cluster, drama: Drama) -> str:
    """A run that is held for longer than a lease: nobody takes it from its worker, whose renewals are believed."""

    def lease() -> float:
        return float(cluster.postgres.sql(f"SELECT lease_until FROM runs WHERE id = '{run['id']}'", cluster.database))

    began = len(drama.model.calls)
    run = drama.start()
    assert abs(run["created_at"] - time.time()) < 60
    drama.model.wait(held=began + 1)
    first = lease()
    eventually(lease, lambda now: now > first + 2.5)
    assert len(drama.model.calls) == began + 1
    return str(run["id"])


def test_the_clocks_of_nodes_disagree(cluster: Cluster, model: Model):
    # An hour ahead and an hour behind, of the database and of each other.
    nodes = [cluster.node(**SHORT, PYTHONPATH=SKEWED, SKEW=skew) for skew in ("3600", "-3600")]
    here = cluster.drama(nodes[0], model)
    there = here.at(Api(nodes[1].url))
    model.will(text(WORDS, hold_before=3), text(WORDS, hold_before=3), text("By another"))
    first = keeps_its_run(cluster, here)
    model.release()
    assert here.ended(first)["status"] == "completed"
    run = keeps_its_run(cluster, there)
    nodes[1].kill()
    asked = time.monotonic()
    assert here.ended(run)["status"] == "completed"
    assert time.monotonic() - asked < 6
    assert len(model.calls) == 3
    assert here.said() == ["Hello", WORDS, "By another"]
