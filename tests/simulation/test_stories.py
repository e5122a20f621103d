"""Whatever befalls the nodes: no run is lost, none ends twice, no zombie writes or speaks, no thread is stuck.

`RUNSTEAD_TEST_EXAMPLES=2000 pytest -o faulthandler_timeout=1800 tests/simulation` looks for longer; `python -m tests.simulation` tells one story.
"""

import os

import pytest

from tests.simulation.story import Told, live, lived

EXAMPLES = int(os.environ.get("RUNSTEAD_TEST_EXAMPLES", "60"))
PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_every_story_ends_well(part):
    seeds = EXAMPLES * 15 // PARTS
    for told in lived(range(part * seeds, (part + 1) * seeds)):
        assert told.broken is None, in_full(told)


def in_full(told: Told) -> str:
    trace = "\n".join(told.trace)
    return f"{told.broken}\n{trace}\npython -m tests.simulation --seed {told.seed} tells this again."


def test_a_seed_means_one_story(engine):
    first, second = (live(7, is_told=True) for _ in range(2))
    assert first == second
    assert len(first.trace) > 5
