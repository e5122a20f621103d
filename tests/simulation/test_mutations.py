"""A rule that is broken on purpose is found: otherwise nothing that is not found would mean anything."""

from itertools import chain

import pytest

from tests.simulation.mutations import MUTATIONS
from tests.simulation.story import lived
from tests.simulation.tool_mutations import TOOL_MUTATIONS

WITHIN = 12_000
"""Stories; most broken rules show in the first hundred."""
LOOK_FIRST_AT = {
    "a_dead_node_is_waited_for_because_it_had_a_session": 4550,
    "a_late_result_is_stored": 1050,
    "results_that_nobody_lived_to_tell_stay_untold": 1050,
    "the_fence_overlooks_the_epoch": 3250,
}
"""Where those that rarely show did so last; the search goes on from there through all stories."""


@pytest.mark.parametrize("broken_rule", MUTATIONS + TOOL_MUTATIONS, ids=lambda rule: rule.__name__)
def test_a_broken_rule_is_found(broken_rule):
    with broken_rule():
        first = LOOK_FIRST_AT.get(broken_rule.__name__, 0)
        assert any(told.broken for told in lived(chain(range(first, WITHIN), range(first))))
