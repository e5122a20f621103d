"""One Python between calls: starts it, asks it, stops it when its time is over."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress

from runstead.ports import CodeFile
from runstead.sandbox import protocol
from runstead.sandbox.box import Box, Ending, Launcher, NoBox
from runstead.sandbox.harvest import Harvest
from runstead.sandbox.limits import MIB, Limits
from runstead.sandbox.protocol import Frame, Garbled, Ready

START_LIMIT = 15.0
END_LIMIT = 2.0
"""Seconds for a box to end by itself, so that its reason is known."""
WAITING = 16
"""Frames of a call that are read before they are looked at; the rest stays in the line, and whoever sends it waits."""
SPARE_FRAMES = 20_000
"""Frames of a call beside one for each byte of output."""
BREATH = 64
NOBODY = "-"
"""The call that is none: frames for it are dropped."""


class Silent(NoBox):
    """A box that was made, and in which nobody answers."""


class Lost(Exception):
    """The session is no more; the sentence says why."""


class Session:
    """Made by `begin`. Whoever calls sees to it that calls come one after the other."""

    def __init__(self, box: Box, limits: Limits) -> None:
        self._box, self._limits = box, limits
        self._frames: asyncio.Queue[tuple[Frame, bytes] | None] = asyncio.Queue(WAITING)
        self._listening = asyncio.create_task(self._listen(), name="sandbox session")
        self._call = NOBODY
        self._heard = 0
        self._ending: Ending | None = None
        self._fault = ""
        self.born = asyncio.get_running_loop().time()
        self._keys: set[str] = set()
        self._timer: asyncio.Timeout | None = None
        self._may_hurry = self._is_hurried = False
        self.is_new = True
        """Whether no call has used it yet."""

    @property
    def is_alive(self) -> bool:
        """Whether it has not been seen to end."""
        return not self._listening.done()

    async def greet(self) -> None:
        """Wait for its Python, and take away what it may not have. Raises NoBox with its launcher's last words."""
        try:
            first = await asyncio.wait_for(self._frames.get(), START_LIMIT)
        except TimeoutError:
            await self.end()
            raise Silent(f"no answer within {START_LIMIT:g} seconds") from None
        if first is None or not isinstance(first[0], Ready):
            ending = await self.end(END_LIMIT)
            raise NoBox(ending.words or f"its Python ended with {ending.code}{self._fault and f' ({self._fault})'}")
        limits = self._limits
        self._send(
            "limit",
            address_space=limits.address_space,
            disk=limits.disk,
            processes=limits.processes,
            open_files=limits.open_files,
        )

    async def stage(self, key: str, file: CodeFile) -> None:
        """Lay an original out, once. Raises NoBox."""
        if key not in self._keys:
            await self._box.stage(key, file.read())
            self._keys.add(key)

    def link(self, links: list[tuple[str, str]]) -> None:
        """Give originals their names in /mnt/data."""
        # A head has its largest size.
        for start in range(0, len(links), 10):
            self._send("link", links=links[start : start + 10])

    async def put(self, name: str, contents: AsyncIterator[bytes]) -> None:
        """Write a file that an earlier session had made. Raises Lost."""
        try:
            async for block in contents:
                for start in range(0, len(block), protocol.LARGEST_RAW):
                    self._send("put", block[start : start + protocol.LARGEST_RAW], name=name, last=False)
                    await self._box.writer.drain()
            self._send("put", name=name, last=True)
        except ConnectionError:
            raise Lost(await self._reason()) from None

    async def call(self, code: str, timeout: float) -> Harvest:
        """Run code and gather what comes of it. Raises Broken, with what had come, if the session ends over it."""
        harvest = Harvest(secrets.token_hex(8), self._limits)
        self._call, self.is_new, self._heard = harvest.call, False, 0
        limits = self._limits
        if self._is_hurried:
            # Its caller left before it began.
            self._is_hurried = False
            return harvest
        try:
            self._send(
                "run",
                code.encode("utf-8", "replace"),
                id=harvest.call,
                logs=limits.logs,
                images=limits.images,
                image=limits.image,
                files=limits.files,
                disk=limits.disk,
            )
            await self._follow(harvest, timeout)
        except Lost as lost:
            raise Broken(harvest, str(lost)) from None
        finally:
            self._call = NOBODY
            self._may_hurry = self._is_hurried = False
        return harvest

    def hurry(self) -> None:
        """Treat the time of the call that runs, or is about to, as over."""
        self._is_hurried = True
        if self._may_hurry and self._timer is not None:
            self._timer.reschedule(asyncio.get_running_loop().time())

    async def end(self, within: float = 0.0) -> Ending:
        """End it now, or let it end by itself so long. Harmless when repeated."""
        if self._ending is None:
            self._ending = await self._box.ended(within)
            self._listening.cancel()
            await asyncio.wait([self._listening])
        return self._ending

    async def _follow(self, harvest: Harvest, timeout: float) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout
        self._may_hurry = True
        while not harvest.is_done:
            had_ended = harvest.has_ended
            try:
                # Who was in a hurry while a piece was being kept had no timer to set.
                at = loop.time() if self._is_hurried and self._may_hurry else until
                async with asyncio.timeout_at(at) as self._timer:
                    got = await self._next()
            except TimeoutError:
                if harvest.has_ended:
                    raise Lost(f"Its files were not handed over within {self._limits.harvest:g} seconds.") from None
                if not self._may_hurry:
                    raise Lost("The code did not stop when it was told to.") from None
                self._may_hurry = False
                self._send("interrupt", id=self._call)
                harvest.notes.append(f"The code was stopped after {timeout:g} seconds, the limit for a call.")
                until = loop.time() + self._limits.grace
                continue
            finally:
                self._timer = None
            if got is None:
                raise Lost(await self._reason())
            try:
                await harvest.take(*got)
            except Garbled as garbled:
                raise Lost(f"It broke the rules: {garbled}.") from None
            if harvest.has_ended and not had_ended:
                self._may_hurry = False
                until = loop.time() + self._limits.harvest

    async def _next(self) -> tuple[Frame, bytes] | None:
        if self._frames.empty() and self._listening.done():
            return None
        return await self._frames.get()

    async def _reason(self) -> str:
        """Why the line ended."""
        ending = await self.end(END_LIMIT)
        if ending.ran_out_of_memory:
            return f"It used more memory than its {self._limits.memory // MIB} MiB, and {self._limits.disk // MIB} for files."
        if self._fault:
            return f"It broke the rules: {self._fault}."
        return "Its process ended."

    async def _listen(self) -> None:
        try:
            while True:
                frame, raw = await protocol.read_frame(self._box.reader)
                await self._count()
                if frame.id == self._call or isinstance(frame, Ready):
                    await self._frames.put((frame, raw))
        except (EOFError, ConnectionError):
            pass
        except Garbled as garbled:
            self._fault = str(garbled)
        finally:
            with suppress(asyncio.QueueFull):
                self._frames.put_nowait(None)

    async def _count(self) -> None:
        self._heard += 1
        if self._heard > self._limits.logs + SPARE_FRAMES:
            raise Garbled("more frames than anybody needs")
        if self._heard % BREATH == 0:
            # Frames that are there already are read without a pause; others want to be served too.
            await asyncio.sleep(0)

    def _send(self, op: str, raw: bytes = b"", **fields: object) -> None:
        self._box.writer.write(protocol.encode(op, raw, **fields))


class Broken(Exception):
    """A call that ended with its session; carries what had come until then, and the reason."""

    def __init__(self, harvest: Harvest, reason: str) -> None:
        super().__init__(reason)
        self.harvest = harvest
        self.reason = reason


async def begin(launcher: Launcher, limits: Limits) -> Session:
    """A new session whose Python has answered. Raises NoBox."""
    try:
        return await _begun(launcher, limits)
    except Silent:
        # Known of some kernels in user space, now and then.
        return await _begun(launcher, limits)


async def _begun(launcher: Launcher, limits: Limits) -> Session:
    session = Session(await launcher.open(), limits)
    try:
        await session.greet()
    except BaseException:
        await asyncio.shield(session.end())
        raise
    return session
