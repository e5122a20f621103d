"""Two releases on one database: the older one goes on, and starts again, after the newer one has migrated."""

import io
import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.acceptance.cluster.conftest import Cluster
from tests.acceptance.processes import DidNotStart
from tests.acceptance.scripted import Model, text
from tests.acceptance.wire.talk import Api

ROOT = Path(__file__).parents[3]
WORDS = "one two three four five six"
ADDS = """
    ALTER TABLE runs ADD COLUMN mood text;
    CREATE TABLE moods (id text PRIMARY KEY);
    INSERT INTO migrations VALUES (9000, '9000_moods.sql');
"""
TAKES_AWAY = "INSERT INTO migrations VALUES (9001, '9001_drop_moods_since_9000.sql');"


def test_a_node_serves_what_a_newer_release_has_migrated(cluster: Cluster, model: Model):
    running = cluster.node()
    drama = cluster.drama(running, model)
    model.will(text(WORDS), repeat=True)
    cluster.postgres.sql(ADDS, cluster.database)
    assert drama.ended(drama.start()["id"])["status"] == "completed"
    # Also one that starts only now, after a crash in the middle of the replacement of all nodes.
    started = drama.at(Api(cluster.node().url))
    assert started.ended(started.start()["id"])["status"] == "completed"
    assert running.complaints == []


def test_a_node_refuses_what_a_newer_release_has_taken_away(cluster: Cluster):
    cluster.node()
    cluster.postgres.sql(ADDS + TAKES_AWAY, cluster.database)
    with pytest.raises(DidNotStart, match="start the newer release again"):
        cluster.node()


def previous_release() -> str | None:
    """The newest release's tag that is not this commit's; None while there was none, or where its history is not."""
    tags = subprocess.run(
        ["git", "tag", "--list", "v*", "--sort=-version:refname", "--no-contains", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return next((tag for tag in tags.stdout.split() if re.fullmatch(r"v\d+\.\d+\.\d+", tag)), None)


@pytest.mark.skipif(previous_release() is None, reason="there is no release before this one")
def test_the_previous_release_and_this_one_share_runs(cluster: Cluster, model: Model, tmp_path: Path):
    new = cluster.node()
    with tarfile.open(fileobj=io.BytesIO(_source_of(previous_release()))) as source:
        source.extractall(tmp_path / "previous", filter="data")
    path = os.pathsep.join(filter(None, [str(tmp_path / "previous" / "src"), os.environ.get("PYTHONPATH")]))
    old = cluster.node(PYTHONPATH=path)
    here = cluster.drama(old, model)
    there = here.at(Api(new.url))
    model.will(text(WORDS, hold_before=3), text(WORDS), repeat=True)
    run = here.start()["id"]
    model.wait(held=1)
    old.kill()
    assert there.ended(run)["status"] == "completed"
    again = here.at(Api(cluster.node(PYTHONPATH=path).url))
    assert again.run(run) == there.run(run)
    assert again.ended(again.start()["id"])["status"] == "completed"


def _source_of(tag: str | None) -> bytes:
    assert tag is not None
    archive = subprocess.run(["git", "archive", tag, "src"], cwd=ROOT, capture_output=True, check=True)
    return archive.stdout
