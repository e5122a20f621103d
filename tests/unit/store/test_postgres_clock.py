"""The clock that follows the database's: right within what the answers prove, whatever this machine's clock says."""

import random

import pytest

from runstead.store.postgres_clock import DatabaseClock


class Machine:
    """Time as this machine counts it, and the database's, some seconds apart."""

    def __init__(self, apart: float) -> None:
        self.elapsed = 100.0
        self.apart = apart
        self.clock = DatabaseClock(lambda: self.elapsed)

    @property
    def database_now(self) -> float:
        return self.elapsed + self.apart

    def ask(self, there: float, back: float) -> None:
        """A question and its answer, which take that long."""
        sent_at = self.clock.start()
        self.elapsed += there
        told = self.database_now
        self.elapsed += back
        self.clock.measured(sent_at, told)

    @property
    def error(self) -> float:
        return abs(self.clock.now() - self.database_now)


@pytest.mark.parametrize("apart", [0.0, -3_600.0, 1_700_000_000.0])
def test_one_answer_tells_the_time_to_half_its_duration(apart) -> None:
    machine = Machine(apart)

    machine.ask(0.010, 0.030)

    assert machine.error <= 0.020 + 1e-6
    machine.elapsed += 50
    assert machine.error <= 0.020 + 1e-6


def test_many_slow_answers_do_not_spoil_what_a_quick_one_said() -> None:
    machine = Machine(1e9)
    machine.ask(0.001, 0.001)

    for _ in range(50):
        machine.ask(0.001, 1.0)

    # What it does not know is how far the clocks may have drifted apart meanwhile.
    assert machine.error <= 0.001 + 51 * 5e-4


def test_every_answer_narrows_what_the_others_left_open() -> None:
    machine = Machine(7.0)
    chance = random.Random(1)

    for _ in range(200):
        machine.ask(chance.expovariate(50), chance.expovariate(50))

    assert machine.error < 0.005


@pytest.mark.parametrize("step", [-30.0, 30.0])
def test_a_database_whose_clock_was_set_is_believed(step) -> None:
    machine = Machine(0.0)
    machine.ask(0.001, 0.001)

    machine.apart += step
    machine.ask(0.001, 0.001)

    assert machine.error <= 0.001 + 1e-6


def test_a_slow_drift_is_followed() -> None:
    machine = Machine(0.0)

    for _ in range(1000):
        machine.elapsed += 1.0
        machine.apart += 1e-4
        machine.ask(0.001, 0.001)

    assert machine.error < 0.005


def test_it_says_how_old_its_knowledge_is() -> None:
    machine = Machine(0.0)
    machine.ask(0.0, 0.0)
    machine.elapsed += 12.5

    assert machine.clock.age == 12.5


def test_a_slow_answer_that_contradicts_by_a_hair_does_not_lead_astray() -> None:
    machine = Machine(0.0)
    machine.ask(0.0, 0.0)

    # Faster than any drift that is reckoned with, and then an answer that took its time.
    machine.apart -= 0.01
    machine.ask(0.0, 12.0)

    assert machine.error <= 0.01
