"""Runs whose model call is held in the middle, for what may happen to their worker meanwhile."""

import asyncio

from runstead.wire.runs import Run
from tests.contract.engine.world import Node, World
from tests.unit.domain.making import words

HI_AGAIN = [[words("Again")], [words(finish="stop")]]


async def held_run(world: World, *, seats_on: Node | None = None) -> tuple[Run, asyncio.Event]:
    """A run whose model call has said something and is held, and the event that lets it go."""
    world.seats_on = seats_on
    gate = world.model.will_stop_at_a_gate([words("Hel")], then=[[words("lo")], [words(finish="stop")]])
    run = await world.create_run()
    await gate.reached.wait()
    return run, gate.opened
