from types import SimpleNamespace

import pytest

from runstead.executor import lease
from runstead.executor.lease import Lease
from runstead.executor.worker import LeaseTimes


class Monotonic:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch) -> Monotonic:
    time = Monotonic()
    monkeypatch.setattr(lease, "time", SimpleNamespace(monotonic=time.monotonic))
    return time


def test_a_lease_is_trusted_for_a_while(time):
    held = Lease(4.0)
    assert held.is_valid
    time.now += 3.9
    assert held.is_valid
    time.now += 0.1
    assert not held.is_valid


def test_a_renewal_counts_from_when_it_was_asked_for(time):
    held = Lease(4.0)
    asked_at = time.now + 2.0
    time.now += 3.0
    held.renewed(asked_at)
    time.now = asked_at + 3.9
    assert held.is_valid
    time.now = asked_at + 4.0
    assert not held.is_valid


@pytest.mark.parametrize("lease_for", [0.3, 6.0, 60.0])
def test_trust_ends_before_the_lease_and_outlasts_a_lost_renewal(lease_for):
    times = LeaseTimes.of(lease_for)
    assert times.lease_for == lease_for
    assert 2 * times.renew_every <= times.trust_for + 1e-9
    assert times.trust_for + times.renew_every <= times.lease_for + 1e-9
