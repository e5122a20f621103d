"""Chooses a launcher by trying each, at the start, and stands in front of it. What passes is used; nothing else exists.

There is no launcher without walls, so none can be reached by mistake.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from runstead.ports import CodeFile, CodeOutcome, SandboxUnavailable
from runstead.sandbox import names
from runstead.sandbox.box import Launcher, NoBox
from runstead.sandbox.limits import Limits
from runstead.sandbox.probe import probe
from runstead.sandbox.remedies import explained
from runstead.sandbox.session import Session
from runstead.sandbox.sessions import Sessions

log = structlog.get_logger(__name__)

AGAIN_AFTER = 30.0
"""Seconds after which launchers that failed are tried once more, if somebody needs one."""


class Candidate:
    """A way to run code: its name, how its launcher is made, or why it cannot be."""

    def __init__(self, name: str, make: Callable[[], Launcher] | None, why_not: str = "") -> None:
        self.name, self.make, self.why_not = name, make, why_not


class Chosen:
    """The sandbox of a server, whatever its machine allows."""

    def __init__(self, candidates: Sequence[Candidate], limits: Limits, *, is_strict: bool = False) -> None:
        self._candidates, self._limits, self._is_strict = candidates, limits, is_strict
        self._choosing: asyncio.Task[Sessions] | None = None
        self._chosen_at = 0.0

    def start(self) -> None:
        """Begin to choose, without waiting. Needs a running loop; harmless when repeated."""
        now = asyncio.get_running_loop().time()
        task = self._choosing
        has_failed = task is not None and task.done() and (task.cancelled() or task.exception() is not None)
        if task is None or (has_failed and now - self._chosen_at > AGAIN_AFTER):
            self._choosing = asyncio.create_task(self._choose(), name="sandbox")
            self._choosing.add_done_callback(lambda done: None if done.cancelled() else done.exception())

    def paths(self, files: Sequence[CodeFile]) -> list[str]:
        """See the port."""
        return names.paths(files)

    async def run(self, thread_id: str, code: str, files: Sequence[CodeFile], *, timeout: float) -> CodeOutcome:
        """See the port."""
        return await (await self._sessions()).run(thread_id, code, files, timeout=timeout)

    def threads(self) -> frozenset[str]:
        """See the port."""
        task = self._choosing
        is_chosen = task is not None and task.done() and not task.cancelled() and task.exception() is None
        return task.result().threads() if task is not None and is_chosen else frozenset()

    async def release(self, thread_id: str) -> None:
        """See the port."""
        if self._choosing is not None and self._choosing.done():
            with suppress(SandboxUnavailable):
                await (await self._sessions()).release(thread_id)

    async def describe(self) -> str:
        """See the port."""
        return await (await self._sessions()).describe()

    async def check(self) -> str:
        """See the port."""
        return await (await self._sessions()).check()

    async def close(self) -> None:
        """See the port."""
        if self._choosing is None:
            return
        self._choosing.cancel()
        await asyncio.wait([self._choosing])
        if not self._choosing.cancelled() and self._choosing.exception() is None:
            await self._choosing.result().close()

    async def _sessions(self) -> Sessions:
        self.start()
        if self._choosing is None:
            raise AssertionError("it was just begun")
        return await asyncio.shield(self._choosing)

    async def _choose(self) -> Sessions:
        try:
            launcher = await choose(self._candidates, self._limits, is_strict=self._is_strict)
        finally:
            self._chosen_at = asyncio.get_running_loop().time()
        sessions = Sessions(launcher, self._limits)
        sessions.start()
        return sessions


async def choose(candidates: Sequence[Candidate], limits: Limits, *, is_strict: bool = False) -> Launcher:
    """The first launcher that passes its trial. Raises SandboxUnavailable with the reason of each."""
    reasons = []
    for candidate in candidates:
        if candidate.make is None:
            reasons.append(f"{candidate.name}: {candidate.why_not}")
            continue
        launcher = candidate.make()
        try:
            await _try(launcher, limits, is_strict=is_strict)
        except NoBox as error:
            reasons.append(f"{candidate.name}: {explained(str(error))}")
            await launcher.close()
        except BaseException:
            # Who gives up here has nobody else to end the launcher's keeper.
            await asyncio.shield(launcher.close())
            raise
        else:
            log.info("model-written code can be run", launcher=launcher.name, lacks=launcher.lacks())
            return launcher
    log.warning("model-written code cannot be run", reasons=reasons)
    raise SandboxUnavailable(
        f"code_interpreter is not available on this server: no working sandbox ({'; '.join(reasons)}). "
        "See docs/security.md."
    )


async def _try(launcher: Launcher, limits: Limits, *, is_strict: bool) -> None:
    box = await launcher.open()
    session = Session(box, limits)
    try:
        await session.greet()
        await probe(box, session)
    finally:
        await asyncio.shield(session.end())
    lacks = launcher.lacks()
    if is_strict and lacks is not None:
        raise NoBox(f"RUNSTEAD_SANDBOX_STRICT is set, and {lacks}")
