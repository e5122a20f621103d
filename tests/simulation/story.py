"""A seed's story from its plan to its end: drawn, lived through, judged, and told if it went wrong."""

import gc
from collections.abc import Iterable, Iterator
from random import Random

from msgspec import Struct

from tests.simulation.chaos import Chaos, a_fault
from tests.simulation.clients import Clients, Habits
from tests.simulation.installed import standins
from tests.simulation.network import FAIR, Dice, Weather
from tests.simulation.process import Err, Means
from tests.simulation.witness import Broken
from tests.simulation.world import World

HEALS_AT = 22.0
"""Seconds after which nothing goes wrong any more."""
ENDS_WITHIN = 60.0
"""Seconds after that within which everything has ended."""


class Told(Struct, frozen=True):
    """How a story went."""

    seed: int
    steps: int
    seconds: float
    broken: str | None = None
    trace: list[str] = []


COLLECT_EVERY = 100
"""Stories after which what is left of their worlds is collected: worlds are full of circles, and short."""


def lived(seeds: Iterable[int]) -> Iterator[Told]:
    """One story after the other. A broken one is lived again to be told in full."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        with standins():
            for count, seed in enumerate(seeds, 1):
                told = live(seed)
                yield told if told.broken is None else live(seed, is_told=True)
                if count % COLLECT_EVERY == 0:
                    gc.collect()
    finally:
        if was_enabled:
            gc.enable()


def live(seed: int, *, is_told: bool = False) -> Told:
    """One seed. What breaks is in the answer and not raised."""
    trace: list[str] = []
    world = World(trace if is_told else None)
    broken = None
    with world.loop:
        try:
            _live(world, Random(seed))
        except AssertionError as error:
            broken = f"{type(error).__name__}: {error}"
        steps, seconds = world.loop.steps, world.loop.now
        world.trace, world.loop.tell = None, None
        world.witness.is_over = True
    # What is left refers to itself in circles that only a collection would find.
    vars(world).clear()
    return Told(seed, steps, seconds, broken, trace)


def _live(world: World, rng: Random) -> None:
    plan(world, rng)
    loop, clients, witness, network = world.loop, world.clients, world.witness, world.network
    world.in_(HEALS_AT, lambda: heal(world))
    while True:
        loop.settle()
        if loop.errors:
            raise Broken(f"nobody foresaw this: {loop.errors}") from loop.errors[0].get("exception")
        if not clients.busy and not witness.active and network.is_quiet and not loop.held:
            break
        when = loop.next_timer()
        if when is None or when > HEALS_AT + ENDS_WITHIN:
            break
        loop.tick()
    witness.judge_the_end()
    witness.judge_the_stories()


def plan(world: World, rng: Random) -> None:
    """Draw what the story begins with, and what will happen in it."""
    throw = rng.random
    how_many = rng.choice((1, 2, 2, 2, 3))
    expires_after = rng.choice((600, 600, 5, 12))
    world.is_alone = how_many == 1
    world.loop.throw = throw
    world.loop.tell = None if world.trace is None else world.tell
    means = [
        Means(
            rng.choice((1, 2, 5)), expires_after, Err((throw() - 0.5) * 1e4, (throw() - 0.5) * 4e-4, 0.2, 0.2 * throw())
        )
        for _ in range(how_many)
    ]
    if how_many > 2 and throw() < 0.3:
        # A node that only answers.
        means[2] = Means(0, expires_after, means[2].err)
    if throw() < 0.5:
        world.give_tools()
        world.wants_tools = rng.choice((0.3, 0.6, 0.9))
        world.notes_sessions = how_many > 2
    world.network = Dice(world, rng, a_weather(rng))
    world.clients = Clients(world, rng, Habits(rng, may_leave=expires_after < 100))
    world.chaos = Chaos(world, [a_fault(rng) for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 4)))])
    for mean in means:
        world.start_process(mean)
    threads = [world.new_thread() for _ in range(rng.choice((1, 1, 2)))]
    world.clients.begin(threads, rng.choice((1, 1, 2, 3)), within=rng.choice((0.0, 1.0, 5.0)))
    world.chaos.begin()


def a_weather(rng: Random) -> Weather:
    """Mostly one kind of trouble at a time."""
    if rng.random() < 0.4:
        return Weather(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.4, rng.choice((0.0, 0.5)))
    some = (0.0, 0.0, 0.0, 0.05, 0.3)
    return Weather(
        late_request=rng.choice((0.0, 0.05, 0.2)),
        late_answer=rng.choice((0.0, 0.0, 0.05)),
        given_up=rng.choice((0.0, 0.0, 0.2)),
        lost_post=rng.choice((*some, 1.0)),
        late_post=rng.choice(some),
        double_post=rng.choice((*some, 1.0)),
        suspends=rng.choice((0.1, 0.5, 1.0)),
        only_hello=rng.choice((0.0, 0.5)),
    )


def heal(world: World) -> None:
    """From now on nothing goes wrong: what is left must end."""
    world.tell("-- from here on nothing goes wrong")
    world.is_healed = True
    assert isinstance(world.network, Dice)
    world.network.weather = FAIR
    world.post_office.is_deaf = False
    world.chaos.heal()
