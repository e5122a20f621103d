"""Nodes whose engines are missing, late or wrong when they start, and what nobody may read about the links to them."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from tests.acceptance.cluster.conftest import Cluster
from tests.acceptance.processes import DidNotStart, Server, environment, program
from tests.acceptance.scripted import Model, text
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.talk import Api
from tests.contract.bus.nats_accounts import write_account
from tests.contract.bus.nats_server import NatsServer

SECRETS = ("sesame-for-postgres", "sesame-for-nats")


def nowhere() -> int:
    """A port where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
    return port


def refusal_of(cluster: Cluster, **variables: str) -> str:
    with pytest.raises(DidNotStart) as refusal:
        cluster.node(**variables)
    said = str(refusal.value)
    assert "Traceback" not in said
    assert "sesame" not in said
    return said.rpartition("Error: ")[2].strip()


def test_a_database_that_does_not_answer_ends_the_start_after_a_while(cluster: Cluster):
    url = f"postgresql://u:sesame@127.0.0.1:{nowhere()}/runstead"

    said = refusal_of(cluster, RUNSTEAD_DATABASE_URL=url, RUNSTEAD_DATABASE_WAIT="0.3")

    assert "no server can be reached there" in said
    assert "check host and port, and that it runs" in said


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"RUNSTEAD_DATABASE_URL": "mysql://u:sesame@h/d"}, "postgresql://user:password@host/database is needed"),
        ({"RUNSTEAD_NATS_URL": "http://u:sesame@h"}, "addresses such as nats://127.0.0.1:4222 are needed"),
        ({"RUNSTEAD_NATS_CREDENTIALS": "/nowhere/sesam.creds"}, "/nowhere/sesam.creds cannot be read"),
        ({"RUNSTEAD_NATS_CA": "/nowhere/ca.pem"}, "certificate files cannot be read"),
        ({"RUNSTEAD_NATS_CERTIFICATE_KEY": "/nowhere/key.pem"}, "RUNSTEAD_NATS_CERTIFICATE, which it is for"),
        ({"RUNSTEAD_NATS_REPLICAS": "3"}, "RUNSTEAD_NATS_REPLICAS can be no more than its servers"),
    ],
    ids=lambda value: "-".join(value).lower() if isinstance(value, dict) else "",
)
def test_a_setting_that_waiting_would_not_cure_ends_the_start_at_once(cluster: Cluster, variables, words):
    assert words in refusal_of(cluster, **variables)


def test_a_database_that_is_not_there_is_named(cluster: Cluster):
    said = refusal_of(cluster, RUNSTEAD_DATABASE_URL=cluster.postgres.url("nowhere"))

    assert 'database "nowhere" does not exist' in said
    assert "create it first" in said


@contextmanager
def starting(folder: Path, **settings: str) -> Iterator["subprocess.Popen[str]"]:
    """A node that has been started and need not have come up; its log is the folder's file `log`."""
    folder.mkdir()
    with (folder / "log").open("w") as log:
        node = subprocess.Popen(
            [program("RUNSTEAD_BIN"), "serve", "--port", "0"],
            env=environment(RUNSTEAD_DATA_DIR=str(folder), **settings),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    with node:
        try:
            yield node
        finally:
            node.kill()


def test_a_node_that_waits_for_its_database_can_be_told_to_stop(cluster: Cluster, tmp_path: Path):
    settings = {
        "RUNSTEAD_DATABASE_URL": f"postgresql://u:sesame@127.0.0.1:{nowhere()}/runstead",
        "RUNSTEAD_DATABASE_WAIT": "600",
        "RUNSTEAD_MODEL_URL": cluster.model_url,
    }
    with starting(tmp_path / "waiting", **settings) as node:
        log = tmp_path / "waiting" / "log"
        said = eventually(log.read_text, lambda said: "waiting for the database" in said)
        assert "sesame" not in said
        node.send_signal(signal.SIGTERM)
        assert node.wait(20) == 0


def test_a_node_that_starts_before_its_database_comes_up_with_it(cluster: Cluster, model: Model, tmp_path: Path):
    cluster.postgres.stop(signal.SIGINT)
    settings = {
        "RUNSTEAD_DATABASE_URL": cluster.postgres.url(cluster.database),
        "RUNSTEAD_NATS_URL": cluster.nats.url,
        "RUNSTEAD_MODEL_URL": cluster.model_url,
    }
    try:
        with starting(tmp_path / "early", **settings) as node:
            eventually((tmp_path / "early" / "log").read_text, lambda said: "waiting for the database" in said)
            cluster.postgres.start()
            assert node.stdout is not None
            url = node.stdout.readline().split()[-1]
            assert Api(url).send("GET", "//readyz").json["status"] == "ready"
            node.send_signal(signal.SIGTERM)
            assert node.wait(20) == 0
    finally:
        cluster.postgres.stop(signal.SIGINT)
        cluster.postgres.start()


def test_without_nats_a_node_starts_works_and_joins_the_others_later(cluster: Cluster, model: Model):
    cluster.nats.kill()
    node = cluster.node()
    ready = lambda: Api(node.url).send("GET", "//readyz")  # noqa: E731
    assert (ready().status, ready().json["status"]) == (200, "degraded")
    assert "nats not reached, started without it" in node.log
    assert counted(node) == 0
    drama = cluster.drama(node, model)
    model.will(text("Alone"), text("Again"))
    assert drama.ended(drama.start()["id"])["status"] == "completed"

    cluster.nats.start()

    eventually(lambda: ready().json["status"], lambda word: word == "ready")
    assert counted(node) == 1
    there = drama.at(Api(cluster.node().url))
    assert there.ended(there.start()["id"])["status"] == "completed"
    assert there.said() == ["Hello", "Alone", "Again"]


def counted(node: Server) -> float:
    """What its metrics say of its link to others."""
    page = Api(node.url).send("GET", "//metrics").body.decode()
    [line] = [line for line in page.splitlines() if line.startswith("runstead_bus_connected ")]
    return float(line.split()[1])


def doctor(cluster: Cluster, **variables: str) -> "subprocess.CompletedProcess[str]":
    settings = {
        "RUNSTEAD_DATA_DIR": str(cluster.folder / "doctor"),
        "RUNSTEAD_DATABASE_URL": cluster.postgres.url(cluster.database),
        "RUNSTEAD_NATS_URL": cluster.nats.url,
        "RUNSTEAD_MODEL_URL": cluster.model_url,
        **variables,
    }
    return subprocess.run(
        [program("RUNSTEAD_BIN"), "doctor"],
        env=environment(**settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_doctor_looks_at_both_engines_and_changes_neither(cluster: Cluster):
    before = doctor(cluster)
    assert before.returncode == 0, before
    assert "no schema, brought to" in before.stdout
    assert "runstead_offers_1 and runstead_events_1 made when the server starts" in before.stdout
    assert cluster.postgres.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", cluster.database) == "0"

    assert doctor(cluster).stdout == before.stdout
    cluster.node()
    after = doctor(cluster).stdout

    assert "unencrypted, schema " in after
    assert "with JetStream." in after
    assert "where nodes on other machines do not see them" in after


def test_the_doctor_knows_a_database_of_a_later_release(cluster: Cluster):
    cluster.node().stop()
    cluster.postgres.sql("INSERT INTO migrations VALUES (9000, 'later')", cluster.database)

    said = doctor(cluster)

    assert said.returncode == 1
    assert "has schema 9000, and this release knows up to" in said.stdout


def test_the_doctor_knows_a_user_who_may_not_create_what_is_missing(cluster: Cluster):
    cluster.postgres.sql("CREATE ROLE lowly LOGIN", cluster.database)
    try:
        said = doctor(cluster, RUNSTEAD_DATABASE_URL=cluster.postgres.url(cluster.database, "lowly"))
    finally:
        cluster.postgres.sql("DROP ROLE lowly", cluster.database)

    assert said.returncode == 1
    assert "its user may not create tables" in said.stdout


@pytest.mark.parametrize("missing", ["RUNSTEAD_NATS_URL", "RUNSTEAD_DATABASE_URL"])
def test_the_doctor_names_an_engine_that_does_not_answer(cluster: Cluster, missing):
    scheme = missing.split("_")[1].lower().replace("database", "postgresql")

    said = doctor(cluster, **{missing: f"{scheme}://u:sesame@127.0.0.1:{nowhere()}"})

    assert said.returncode == 1
    assert "sesame" not in said.stdout + said.stderr
    assert "fail" in said.stdout


def test_a_node_proves_itself_by_a_file_of_credentials(cluster: Cluster, model: Model, tmp_path: Path):
    config, credentials = write_account(tmp_path)
    nats = NatsServer(tmp_path, "-c", str(config), jetstream=False)
    nats.start()
    links = {"RUNSTEAD_NATS_URL": nats.url, "RUNSTEAD_NATS_CREDENTIALS": str(credentials)}
    try:
        here, there = cluster.node("--role", "api", **links), cluster.node("--role", "worker", **links)
        drama = cluster.drama(here, model)
        model.will(text("Hi"))
        assert drama.ended(drama.start()["id"])["status"] == "completed"
        assert doctor(cluster, **links).returncode == 0
        seed = credentials.read_text().splitlines()[-2]
        assert seed not in here.log + there.log
        (other := tmp_path / "other").mkdir()
        said = refusal_of(cluster, **{**links, "RUNSTEAD_NATS_CREDENTIALS": str(write_account(other)[1])})
        assert "it refused the credentials" in said
    finally:
        nats.kill()


def test_what_proves_who_we_are_is_never_told(cluster: Cluster, model: Model, tmp_path: Path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    proof = authority.issue_cert("127.0.0.1")
    proof.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    certificate = str(tmp_path / "server.pem")
    nats = NatsServer(
        tmp_path / "secure",
        "--tls",
        "--tlscert",
        certificate,
        "--tlskey",
        certificate,
        "--user",
        "u",
        "--pass",
        SECRETS[1],
    )
    nats.start()
    links = {
        "RUNSTEAD_DATABASE_URL": f"postgresql://postgres:{SECRETS[0]}@127.0.0.1:{cluster.postgres.port}/{cluster.database}",
        "RUNSTEAD_NATS_URL": nats.url.replace("nats://", f"tls://u:{SECRETS[1]}@"),
        "RUNSTEAD_NATS_CA": str(tmp_path / "ca.pem"),
        "RUNSTEAD_LOG_LEVEL": "debug",
    }
    try:
        node = cluster.node(**links)
        drama = cluster.drama(node, model)
        model.will(text("Hi"))
        assert drama.ended(drama.start()["id"])["status"] == "completed"
        examined = doctor(cluster, **links)
        assert examined.returncode == 0, examined
        nats.kill()
        eventually(lambda: node.log, lambda log: "nats not reached" in log)
        cluster.postgres.stop(signal.SIGINT)
        try:
            assert drama.api.send("GET", drama.path).status == 503
        finally:
            cluster.postgres.start()
        told = banner_of(node) + node.log + examined.stdout + examined.stderr
        node.stop()
    finally:
        nats.kill()
    assert "tls://***@127.0.0.1" in told
    assert [secret for secret in SECRETS if secret in told] == []


def banner_of(node: Server) -> str:
    """All of what a node said when it had started."""
    lines = [node.banner]
    assert node.process.stdout is not None
    while "keys" not in lines[-1]:
        lines.append(node.process.stdout.readline())
    return "\n".join(lines)
