"""What the built-in tools stand on: a sandbox and a library that do one of a few things, each at its own pace.

The tools themselves are the product's. Every result differs from every other, so one that takes another's place shows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct

from runstead.domain.errors import ToolFailed, Unavailable
from runstead.domain.records import CallNotes
from runstead.domain.tool_turn import BuiltinCall, Performed
from runstead.ports import CodeFile, CodeFiles, CodeOutcome, FoundPassage, Library, Sandbox, SandboxUnavailable
from runstead.tools.code_interpreter import CodeInterpreterTool
from runstead.tools.code_sessions import CodeSessions
from runstead.tools.file_search import FileSearchTool
from runstead.tools.surroundings import Surroundings
from runstead.tools.toolbox import Toolbox
from tests.simulation.model import Bug

if TYPE_CHECKING:
    from tests.simulation.world import World


class Deed(Struct, frozen=True):
    """What comes of a call. `obeys_after` is how long it goes on after it was told to stop."""

    name: str
    lasts: float = 0.0
    obeys_after: float = 0.0
    is_mute: bool = False
    draws: bool = False
    ends_with: type[Exception] | None = None


PROMPT = Deed("prompt")
DEEDS = (
    PROMPT,
    Deed("mute", is_mute=True),
    Deed("draws", draws=True),
    Deed("a while", lasts=2.5),
    Deed("stubborn", lasts=2.5, obeys_after=1.5),
    Deed("longer than a lease", lasts=7.0),
    Deed("hangs", lasts=15.0, obeys_after=0.2),
    Deed("impossible", ends_with=ToolFailed),
    Deed("unavailable for now", lasts=0.3, ends_with=Unavailable),
    Deed("breaks", ends_with=Bug),
)
DEED = {deed.name: deed for deed in DEEDS}


class WitnessedToolbox(Toolbox):
    """Calls one the other, and the witness sees who begins what."""

    def __init__(self, world: World, process: int, **tools: Any) -> None:
        super().__init__(**tools)
        self._world = world
        self._process = process

    async def perform(self, call: BuiltinCall, notes: CallNotes, around: Surroundings) -> Performed:
        self._world.witness.performing(self._process, around.snapshot.record.run.id, call.id)
        performed = await super().perform(call, notes, around)
        self._world.tell(f"p{self._process} has performed {call.id}")
        return performed


def a_toolbox(world: World, process: int, workshop: Workshop, sessions: CodeSessions | None) -> Toolbox:
    code = CodeInterpreterTool(cast("Sandbox", workshop), cast("CodeFiles", workshop), timeout=60.0, sessions=sessions)
    return WitnessedToolbox(
        world, process, code_interpreter=code, file_search=FileSearchTool(cast("Library", workshop))
    )


class Workshop:
    """ports.Sandbox, ports.CodeFiles and ports.Library, as far as the tools ask them."""

    def __init__(self, world: World, process: int) -> None:
        self._world = world
        self._process = process
        self._sessions: set[str] = set()

    async def _do(self, deed: Deed) -> str:
        self._world.tell(f"p{self._process} works: {deed.name}")
        try:
            await self._world.network.silence(self._process, deed.lasts)
        except asyncio.CancelledError:
            if deed.obeys_after:
                await asyncio.sleep(deed.obeys_after)
            raise
        if deed.ends_with is not None:
            raise deed.ends_with("It cannot be done.")
        return f"result {next(self._world.numbers)}"

    # The sandbox

    def paths(self, files: Sequence[CodeFile]) -> list[str]:
        return [file.name for file in files]

    async def describe(self) -> str:
        return "Python"

    def threads(self) -> frozenset[str]:
        return frozenset(self._sessions)

    async def release(self, thread_id: str) -> None:
        self._sessions.discard(thread_id)

    async def run(self, thread_id: str, code: str, files: Sequence[CodeFile], *, timeout: float) -> CodeOutcome:
        deed = self._world.network.deed()
        self._sessions.add(thread_id)
        try:
            logs = await self._do(deed)
        except (ToolFailed, Unavailable) as reason:
            # The port knows no other refusal.
            raise SandboxUnavailable(str(reason)) from reason
        images = (CodeFile("figure.png", None, 1, _nothing),) if deed.draws else ()
        return CodeOutcome("" if deed.is_mute else logs, images)

    # The files

    async def open(self, file_ids: Sequence[str]) -> list[CodeFile]:
        return []

    async def keep(self, file: CodeFile) -> str:
        await self._world.network.silence(self._process, 0.0)
        return f"file-{next(self._world.numbers)}"

    # The library

    async def settle(self, store_id: str, timeout: float) -> None:
        await self._world.network.silence(self._process, 0.0)

    async def search(
        self, store_ids: Sequence[str], query: str, *, limit: int, score_threshold: float
    ) -> list[FoundPassage]:
        deed = self._world.network.deed()
        words = await self._do(deed)
        return [] if deed.is_mute else [FoundPassage(file_id="file-1", file_name="a.md", score=0.5, text=words)]


async def _nothing() -> AsyncIterator[bytes]:
    nothing: tuple[bytes, ...] = ()
    for piece in nothing:
        yield piece
