"""Files that come in on one node and are read on another, whichever of them dies."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.cluster.conftest import Cluster
from tests.acceptance.processes import environment, program
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.embedding_server import EmbeddingServer, embedding_server
from tests.acceptance.wire.library import Shelf
from tests.acceptance.wire.talk import Api

LONG = b" ".join(b"The lighthouse keeper of Brindlemoor counts ship %d." % i for i in range(1_500))


@pytest.fixture
def shared(tmp_path: Path) -> dict[str, str]:
    """Contents of files where every node sees them."""
    return {"RUNSTEAD_BLOBS_URL": f"file://{tmp_path}/shared", "RUNSTEAD_LEASE_FOR": "2"}


@pytest.fixture
def embeddings() -> Iterator[EmbeddingServer]:
    with embedding_server() as running:
        yield running


def test_one_node_takes_files_and_another_reads_them(cluster: Cluster, shared: dict[str, str]):
    api = Api(cluster.node("--role", "api", **shared).url)
    shelf = Shelf.open(api)
    file = shelf.add(b"The lighthouse of Brindlemoor.", attributes={"year": 1871})
    assert shelf.file(file)["status"] == "in_progress"

    worker = cluster.node("--role", "worker", **shared)

    assert shelf.ended(file)["status"] == "completed"
    assert shelf.found("lighthouse") == [file]
    # What is changed here is seen by searches on every node.
    third = shelf.at(Api(cluster.node(**shared).url))
    for year in range(1900, 1905):
        api.post(f"{shelf.path}/files/{file}", {"attributes": {"year": year}})
        assert third.found("lighthouse", filters={"type": "eq", "key": "year", "value": year}) == [file]
    api.delete(f"{shelf.path}/files/{file}")
    assert third.found("lighthouse") == []
    assert worker.complaints == []


def test_files_of_a_node_that_was_killed_are_read_by_another(cluster: Cluster, shared: dict[str, str]):
    first, second = cluster.node(**shared), cluster.node(**shared)
    shelf = Shelf.open(Api(second.url))
    files = [shelf.add(LONG + b"number %d" % i) for i in range(10)]
    eventually(lambda: shelf.counts["completed"], (1).__le__)
    first.kill()

    for file in files:
        assert shelf.ended(file)["status"] == "completed"

    assert shelf.counts == {"completed": 10, "in_progress": 0, "failed": 0, "cancelled": 0, "total": 10}
    for i, file in enumerate(files):
        content = shelf.api.get(f"{shelf.path}/files/{file}/content")["data"]
        assert content[-1]["text"].endswith(f"number {i}")
    assert second.complaints == []


def test_contents_on_another_node_s_disk_are_waited_for(cluster: Cluster):
    """Each node keeps contents for itself: whoever cannot see them lets others try."""
    first = cluster.node(RUNSTEAD_LEASE_FOR="2")
    cluster.node("--role", "worker", RUNSTEAD_LEASE_FOR="2")
    shelf = Shelf.open(Api(first.url))
    files = [shelf.add(b"Lighthouse %d." % i) for i in range(4)]
    for file in files:
        ended = shelf.ended(file)
        assert ended["status"] == "completed", ended


def test_files_are_read_again_with_another_model_while_nodes_serve_them(
    cluster: Cluster, shared: dict[str, str], embeddings: EmbeddingServer
):
    """What was done before an interruption is not done again."""
    serving = cluster.node(**shared, **embeddings.settings())
    shelf = Shelf.open(Api(serving.url))
    files = [shelf.add(b"Lighthouse number %d." % i, attributes={"n": i}) for i in range(8)]
    for file in files:
        assert shelf.ended(file)["status"] == "completed"
    database = {"RUNSTEAD_DATABASE_URL": cluster.postgres.url(cluster.database)}
    variables = environment(**shared, **database, **embeddings.settings("letters-2"))
    command = [program("RUNSTEAD_BIN"), "reindex"]

    before = len(embeddings.asked)
    with subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL) as interrupted:
        # Whoever asks for the third file's vectors has finished two.
        eventually(lambda: len(embeddings.asked) - before, (3).__le__)
        interrupted.kill()
    assert shelf.ended(shelf.add(b"A lighthouse that came meanwhile."))["status"] == "completed"
    sums = []
    for _ in range(2):
        done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=True)
        sums.append(int(done.stdout.splitlines()[-1].removesuffix(" read again.").split()[0]))

    assert sums[0] <= len(files) + 1 - 2
    assert sums[1] == 0
    following = shelf.at(Api(cluster.node(**shared, **embeddings.settings("letters-2")).url))
    for each in (shelf, following):
        assert set(each.found("lighthouse number")) >= set(files)
        assert each.found("lighthouse", filters={"type": "eq", "key": "n", "value": 3}) == [files[3]]
    # No word of it is said in any file: letters are what this model goes by.
    assert shelf.found("thgil esuoh") == []
    assert following.found("thgil esuoh")
    assert serving.complaints == []
