"""Files found by what they mean, with the embedding model's real weights."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.processes import environment, program
from tests.acceptance.wire.drama import Starter
from tests.acceptance.wire.library import Shelf
from tests.acceptance.wire.talk import Api

MODELS = Path(os.environ.get("RUNSTEAD_TEST_WEIGHTS", Path.home() / ".local/share/runstead")) / "models"

pytestmark = pytest.mark.skipif(
    not any(MODELS.glob("all-MiniLM*")), reason="no weights: runstead model prepare, or scripts/test, fetches them"
)
TEXTS = {
    "leave": b"Every employee may take thirty days of paid vacation a year.",
    "coffee": b"The espresso machine on the third floor is descaled on Fridays.",
    "fire": b"When the alarm sounds, leave the building by the stairs and gather in the car park.",
}


@pytest.fixture
def weights(starter: Starter) -> None:
    starter.data_dir.mkdir(parents=True, exist_ok=True)
    (starter.data_dir / "models").symlink_to(MODELS.absolute())


def filled(api: Api) -> tuple[Shelf, dict[str, str]]:
    shelf = Shelf.open(api)
    ids = {name: shelf.add(text, name.encode() + b".txt") for name, text in TEXTS.items()}
    for id in ids.values():
        assert shelf.ended(id)["status"] == "completed"
    return shelf, ids


@pytest.mark.usefixtures("weights")
def test_a_question_finds_what_shares_no_word_with_it(starter: Starter):
    shelf, ids = filled(Api(starter().url))
    for question, name in (
        ("How long can I go on holiday?", "leave"),
        ("Who cleans the thing that makes hot drinks?", "coffee"),
        ("What to do in an emergency evacuation?", "fire"),
    ):
        results = shelf.search(question)
        assert results[0]["file_id"] == ids[name], question
        assert 0 < results[-1]["score"] <= results[0]["score"] <= 1
    # A kill takes the model's process along, and a new one needs nothing but the files.
    starter.running.kill()
    again = shelf.at(Api(starter().url))
    assert again.found("How long can I go on holiday?")[0] == ids["leave"]
    assert starter.running.complaints == []


def test_files_from_before_the_weights_are_read_again(starter: Starter):
    shelf, ids = filled(Api(starter().url))
    assert ids["leave"] not in shelf.found("holiday")
    starter.running.stop()
    (starter.data_dir / "models").symlink_to(MODELS.absolute())
    variables = environment(RUNSTEAD_DATA_DIR=str(starter.data_dir))

    done = subprocess.run(
        [program("RUNSTEAD_BIN"), "reindex"], env=variables, capture_output=True, text=True, timeout=120, check=True
    )

    assert done.stdout.splitlines()[-1] == "3 files read again."
    assert shelf.at(Api(starter().url)).found("holiday")[0] == ids["leave"]
