"""A rule that is broken on purpose is found: otherwise nothing that is not found would mean anything."""

import pytest

from tests.simulation.mutations import MUTATIONS
from tests.simulation.story import lived
from tests.simulation.tool_mutations import TOOL_MUTATIONS

WITHIN = 12_000
"""Stories; most broken rules show in the first hundred."""


@pytest.mark.parametrize("broken_rule", MUTATIONS + TOOL_MUTATIONS, ids=lambda rule: rule.__name__)
def test_a_broken_rule_is_found(broken_rule):
    with broken_rule():
        assert any(told.broken for told in lived(range(WITHIN)))
