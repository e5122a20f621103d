"""Whatever happens to nodes, code finds all that its thread's code has done since it was last told that it begins anew."""

import ast
from random import Random

import pytest

from runstead.tools.code_interpreter import STARTED_ANEW
from runstead.wire.runs import Run
from tests.contract.engine.coding import CodingNode, a_run, several_nodes, told
from tests.contract.engine.virtual_time import in_virtual_time
from tests.contract.engine.world import LEASE_FOR, World

THREADS, RUNS = 2, 16
CUT, BACK = "is cut off", "is back"
BEFALLS = [CUT, BACK, CUT, BACK, CUT, BACK, "dies", "leaves", "loses an answer", "forgets", "offers"]


class Story:
    """Runs of a few threads, created anywhere, and what befalls the nodes in between."""

    def __init__(self, world: World, rng: Random) -> None:
        self._world, self._rng = world, rng
        self._last: dict[int, Run] = {}
        self._done: dict[int, list[str]] = {}
        self.kept = self.lost = 0

    @property
    def _living(self) -> list[CodingNode]:
        return [node for node in self._world.nodes if isinstance(node, CodingNode)]

    async def run(self, number: int) -> None:
        """One run, and what its code was told against what was done before it."""
        thread = self._rng.randrange(THREADS)
        source = f"code {number}"
        able = [node for node in self._living if not node.line.is_down]
        run = await a_run(self._world, self._rng.choice([None, *able]), source, self._last.get(thread))
        meanwhile = self._rng.choice([None, None, self.befalls])
        if meanwhile is not None:
            await self._world.pass_time(self._rng.choice([0.0, 0.1, 1.0]))
            await meanwhile()
        words = await told(self._world, run)
        known = ast.literal_eval(words.removeprefix(f"{STARTED_ANEW}\n").removeprefix("knows "))
        done = self._done.setdefault(thread, [])
        if words.startswith(STARTED_ANEW) or not done:
            # A call that was broken off may have begun anew, and be performed again.
            assert set(known) <= {source}, (words, done)
            done.clear()
            self.lost += 1
        else:
            assert [each for each in known if each != source] == done, words
            self.kept += 1
        done.append(source)
        self._last[thread] = run

    async def befalls(self) -> None:
        """Something happens to a node, or to a session."""
        node = self._rng.choice(self._living)
        match self._rng.choice(BEFALLS):
            case "dies":
                await node.die()
                self._replace(node)
            case "leaves":
                await node.drain()
                if not node.line.is_down:
                    await node.sessions.leave()
                self._replace(node)
            case "is cut off":
                node.line.is_down = all(not each.line.is_down for each in self._living if each is not node)
            case "is back":
                for each in self._living:
                    each.line.is_down = False
            case "loses an answer":
                node.line.loses_answers = 1
            case "forgets":
                for thread in self._rng.sample(sorted(node.memory.sessions), min(1, len(node.memory.sessions))):
                    await node.memory.release(thread)
            case _:
                self._world.bus.loses_offers = not self._world.bus.loses_offers
        await self._world.pass_time(self._rng.choice([0.0, 0.0, 0.5, LEASE_FOR + 1.0]))

    def _replace(self, node: CodingNode) -> None:
        self._world.nodes.remove(node)
        fresh = CodingNode(self._world, f"{node.worker.owner}'", 100)
        self._world.nodes.append(fresh)
        fresh.start()


@pytest.mark.parametrize("seed", range(40))
@in_virtual_time
async def test_code_is_never_misled(seed):
    async with several_nodes(3) as (world, _):
        story = Story(world, Random(seed))
        for number in range(RUNS):
            await story.run(number)
            await story.befalls()
        assert story.kept + story.lost == RUNS
