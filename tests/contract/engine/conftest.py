import pytest

from runstead.executor import heartbeat, lease, run_driver
from tests.contract.engine.virtual_time import Monotonic


@pytest.fixture(autouse=True)
def virtual_monotonic(monkeypatch):
    """The engine's monotonic clock is the loop's."""
    for module in (heartbeat, lease, run_driver):
        if hasattr(module, "time"):
            monkeypatch.setattr(module, "time", Monotonic)
