"""A call that nobody waits for any longer is stopped at once, whatever its session is just doing."""

import asyncio

from runstead.sandbox.harvest import Harvest
from runstead.sandbox.session import begin
from tests.contract.sandbox.conftest import LIMITS, local, require

LONG = 60.0
SOON = 20.0


async def test_a_call_is_stopped_while_what_it_said_is_being_kept(monkeypatch):
    await require("bubblewrap")
    launcher = local("bubblewrap", LIMITS)
    session = await begin(launcher, LIMITS)
    take = Harvest.take

    async def take_with_a_hurry(harvest, frame, raw):
        session.hurry()
        await take(harvest, frame, raw)

    monkeypatch.setattr(Harvest, "take", take_with_a_hurry)
    try:
        async with asyncio.timeout(SOON):
            harvest = await session.call("print('begun', flush=True)\nwhile True: pass", LONG)
        assert harvest.logs.startswith("begun")
        assert "KeyboardInterrupt" in harvest.logs
    finally:
        await session.end()
        await launcher.close()
