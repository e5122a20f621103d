"""Small worlds, known whole: every order, and a misfortune anywhere."""

import os

import pytest

from tests.simulation.search import LARGER, WORLDS, search, told

EXAMPLES = int(os.environ.get("RUNSTEAD_TEST_EXAMPLES", "60"))
MOST_STATES = EXAMPLES * 50


@pytest.mark.parametrize("small", WORLDS if EXAMPLES <= 60 else WORLDS + LARGER, ids=lambda small: small.name)
def test_every_path_ends_well(engine, small):
    found = search(small, MOST_STATES)
    assert found.broken is None, "\n".join([found.broken or "", *told(small, found.choices)])
    assert found.is_complete, f"more than {MOST_STATES} states"
    assert found.paths > 10
