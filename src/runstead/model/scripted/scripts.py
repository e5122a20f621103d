"""The scripts of a server and what was received under each; tests wait here for facts instead of sleeping."""

import asyncio
from collections import deque
from typing import Any

from runstead.model.scripted.turns import Script, Turn

KEPT = 1000


class Scripted:
    """One model's script, its progress, and the calls it received."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.received: deque[Received] = deque(maxlen=KEPT)
        self.counts = {"requests": 0, "aborted": 0, "held": 0, "ended": 0}
        self.releases = asyncio.Semaphore(0)
        self._turns_taken = 0
        self._changed = asyncio.Condition()

    def next_turn(self) -> Turn | None:
        """The turn for the next call, or None if the script is at its end."""
        turns = self.script.turns
        if self._turns_taken < len(turns):
            self._turns_taken += 1
            return turns[self._turns_taken - 1]
        return turns[-1] if turns and self.script.repeat else None

    async def count(self, what: str) -> None:
        async with self._changed:
            self.counts[what] += 1
            self._changed.notify_all()

    async def wait(self, wanted: dict[str, int], timeout: float) -> bool:
        """Whether every count reached the wanted number within `timeout` seconds."""

        def reached() -> bool:
            return all(self.counts[what] >= number for what, number in wanted.items())

        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(reached), timeout)
            except TimeoutError:
                return reached()
        return True


class Received:
    """A call as it came, and what became of it."""

    def __init__(self, owner: Scripted, number: int, body: dict[str, Any], headers: dict[str, str]) -> None:
        self.number = number
        self.body = body
        self.headers = headers
        self.aborted = False
        self.refused: str | None = None
        self._owner = owner

    async def hold(self) -> None:
        await self._owner.count("held")
        await self._owner.releases.acquire()

    async def abort(self) -> None:
        self.aborted = True
        await self._owner.count("aborted")

    def shown(self) -> dict[str, Any]:
        return {"body": self.body, "headers": self.headers, "aborted": self.aborted, "refused": self.refused}


class Scripts:
    """All scripts of a server, by model name."""

    def __init__(self) -> None:
        self.by_model: dict[str, Scripted] = {}
        self._numbers = 0

    def put(self, model: str, script: Script) -> None:
        """Start a model afresh: turns, counts and received calls."""
        self.by_model[model] = Scripted(script)

    def find(self, model: str) -> Scripted | None:
        return self.by_model.get(model)

    def get(self, model: str) -> Scripted:
        """The model's script; a model without one gets an empty one that only records."""
        return self.by_model.setdefault(model, Scripted(Script()))

    def next_number(self) -> int:
        self._numbers += 1
        return self._numbers
