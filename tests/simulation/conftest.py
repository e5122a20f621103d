from collections.abc import Iterator

import pytest

from tests.simulation.installed import standins


@pytest.fixture
def engine() -> Iterator[None]:
    """The engine as it is in a simulated world."""
    with standins():
        yield
