"""Waiting for what a bus over NATS comes to by itself."""

import asyncio

from runstead.ports import Bus
from runstead.wire.base import RunId
from tests.contract.bus.events import until

RETURN = 15.0
"""Seconds in which a connection comes back."""


async def down(*buses) -> None:
    await until(lambda: not any(bus.is_connected for bus in buses), RETURN)


async def up(*buses) -> None:
    await until(lambda: all(bus.is_connected for bus in buses), RETURN)


async def take(bus: Bus, count: int) -> list[RunId]:
    taken = []
    async with asyncio.timeout(RETURN):
        async for run_id in bus.offers():
            taken.append(run_id)
            if len(taken) == count:
                break
    return taken
