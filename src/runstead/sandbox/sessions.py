"""One session a thread, kept between its calls until it has idled or lived too long, or its place is needed.

What a lost session had in its variables is lost, and said so; what it had in files comes back, since each call's files
were given to the caller at its end and come with the next one.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

import structlog

from runstead.ports import CodeFile, CodeOutcome, SandboxUnavailable
from runstead.sandbox import names
from runstead.sandbox.box import Launcher, NoBox
from runstead.sandbox.harvest import Harvest
from runstead.sandbox.limits import MIB, Limits
from runstead.sandbox.memory import free_memory, sessions_that_fit
from runstead.sandbox.pool import Pool
from runstead.sandbox.session import Broken, Lost, Session

log = structlog.get_logger(__name__)

REMEMBERED = 10_000
"""Threads of which it is known why they have no session any more."""
LOST = "The session started anew: {} Variables and imports of earlier calls are gone; the files are in /mnt/data."


class Place:
    """A thread's claim on one of the sessions of this node. Its lock makes calls follow each other."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.session: Session | None = None
        self.used_at = 0.0
        self.waiting = 0
        self.current: asyncio.Task[CodeOutcome] | None = None
        """Who holds the lock."""

    @property
    def is_idle(self) -> bool:
        """Whether it can be taken away without stopping anybody."""
        return self.session is not None and not self.lock.locked() and not self.waiting


class Sessions:
    """The sandbox of one node, with one launcher."""

    def __init__(self, launcher: Launcher, limits: Limits) -> None:
        self._launcher, self._limits = launcher, limits
        self._most = limits.sessions or sessions_that_fit(free_memory())
        self._pool = Pool(launcher, limits, lambda: self.count < self._most)
        self._places: OrderedDict[str, Place] = OrderedDict()
        self._lost: OrderedDict[str, str] = OrderedDict()
        self._calls: set[asyncio.Task[CodeOutcome]] = set()
        self._freed = asyncio.Condition()
        self._opening = 0
        self._sweeper: asyncio.Task[None] | None = None

    def paths(self, files: Sequence[CodeFile]) -> list[str]:
        """See the port."""
        return names.paths(files)

    @property
    def count(self) -> int:
        """How many sessions there are, or are about to be."""
        return self._opening + len(self._pool) + sum(place.session is not None for place in self._places.values())

    @property
    def warm(self) -> int:
        """How many of them wait for their first thread."""
        return len(self._pool)

    def start(self) -> None:
        """Begin to make sessions in advance, and to end those that idle. Needs a running loop."""
        self._pool.fill()
        if self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep(), name="idle sandboxes")

    async def run(self, thread_id: str, code: str, files: Sequence[CodeFile], *, timeout: float) -> CodeOutcome:
        """See the port."""
        self.start()
        place = self._places.setdefault(thread_id, Place())
        # A task of its own: a caller who leaves must not leave the session in the middle of a call.
        call = asyncio.create_task(self._called(thread_id, place, code, files, timeout), name="code")
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            self._abandon(place, call)
            raise

    def threads(self) -> frozenset[str]:
        """See the port."""
        return frozenset(id for id, place in self._places.items() if place.session is not None)

    async def release(self, thread_id: str) -> None:
        """See the port."""
        self._lost.pop(thread_id, None)
        place = self._places.get(thread_id)
        if place is not None:
            await self._end(thread_id, place)

    async def describe(self) -> str:
        """See the port."""
        limits = self._limits
        return (
            f"Python {self._launcher.python} with {self._launcher.packages or 'the standard library only'}. "
            "No network. A session has "
            f"{limits.memory // MIB} MiB of memory and {limits.disk // MIB} MiB in /mnt/data."
        )

    async def check(self) -> str:
        """See the port."""
        lacks = self._launcher.lacks()
        return f"{self._launcher.name}, Python {self._launcher.python}{f'; {lacks}' if lacks else ''}"

    async def close(self) -> None:
        """See the port."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.wait([self._sweeper])
        for call in list(self._calls):
            call.cancel()
        if self._calls:
            await asyncio.wait(self._calls)
        await self._pool.close()
        for thread_id, place in list(self._places.items()):
            await self._end(thread_id, place)
        await self._launcher.close()

    def _abandon(self, place: Place, call: "asyncio.Task[CodeOutcome]") -> None:
        """Nobody waits for a call any longer: it stops, and its end is awaited behind its caller's back."""
        if place.current is call and place.session is not None:
            place.session.hurry()
        else:
            call.cancel()
        call.add_done_callback(lambda done: None if done.cancelled() else done.exception())

    async def _called(
        self, thread_id: str, place: Place, code: str, files: Sequence[CodeFile], timeout: float
    ) -> CodeOutcome:
        place.waiting += 1
        try:
            await place.lock.acquire()
        finally:
            place.waiting -= 1
        place.current = asyncio.current_task()
        try:
            return await self._locked(thread_id, place, code, files, timeout)
        except NoBox as error:
            raise SandboxUnavailable(f"code_interpreter cannot run code now: {self._launcher.name}: {error}") from error
        finally:
            place.current = None
            place.lock.release()
            place.used_at = asyncio.get_running_loop().time()
            if place.session is None and not place.waiting and self._places.get(thread_id) is place:
                del self._places[thread_id]
            await self._tell()

    async def _locked(
        self, thread_id: str, place: Place, code: str, files: Sequence[CodeFile], timeout: float
    ) -> CodeOutcome:
        session, notes = await self._session(thread_id, place, timeout)
        is_fresh = session.is_new
        try:
            await _lay_out(session, files)
            harvest = await session.call(code, timeout)
        except Lost as lost:
            await self._end(thread_id, place)
            return CodeOutcome(logs="", is_error=True, is_fresh=is_fresh, notice=_joined([*notes, _ended(str(lost))]))
        except Broken as broken:
            await self._end(thread_id, place)
            return _outcome(broken.harvest, [*notes, *broken.harvest.notes, _ended(broken.reason)], is_fresh, ok=False)
        except BaseException:
            await asyncio.shield(self._end(thread_id, place, "its last call was broken off."))
            raise
        return _outcome(harvest, [*notes, *harvest.notes], is_fresh, ok=harvest.is_ok)

    async def _session(self, thread_id: str, place: Place, timeout: float) -> tuple[Session, list[str]]:
        """The thread's session, or a new one and what to say about it. Raises NoBox."""
        if place.session is not None and self._is_worn(place.session):
            await self._end(thread_id, place, f"sessions live for {self._limits.lifetime:g} seconds.")
        if place.session is not None and not place.session.is_alive:
            await self._end(thread_id, place, "its process ended between two calls.")
        if place.session is not None:
            return place.session, []
        await self._make_room(timeout)
        try:
            place.session = await self._pool.take()
        finally:
            self._opening -= 1
        reason = self._lost.pop(thread_id, None)
        return place.session, [LOST.format(reason)] if reason else []

    def _is_worn(self, session: Session) -> bool:
        return asyncio.get_running_loop().time() - session.born > self._limits.lifetime

    async def _make_room(self, timeout: float) -> None:
        """Wait for a place for one more session, ending what nobody uses at the moment. Raises NoBox."""
        async with self._freed:
            try:
                async with asyncio.timeout(timeout):
                    # A session that waits in the pool is about to be this one.
                    while self.count - min(len(self._pool), 1) >= self._most:
                        if not (await self._pool.shrink() or await self._evict()):
                            await self._freed.wait()
            except TimeoutError:
                raise NoBox(
                    f"all {self._most} sessions of this server are busy; try again later, "
                    "or raise RUNSTEAD_SANDBOX_SESSIONS"
                ) from None
            self._opening += 1

    async def _evict(self) -> bool:
        idle = [(place.used_at, thread_id, place) for thread_id, place in self._places.items() if place.is_idle]
        if not idle:
            return False
        _, thread_id, place = min(idle, key=lambda one: one[0])
        await self._end(thread_id, place, "its place was needed for another thread.")
        return True

    async def _end(self, thread_id: str, place: Place, reason: str | None = None) -> None:
        """End a thread's session. With a reason, its next call is told."""
        session, place.session = place.session, None
        if session is None:
            return
        if reason:
            self._lost[thread_id] = reason
            while len(self._lost) > REMEMBERED:
                self._lost.popitem(last=False)
        if not place.lock.locked() and not place.waiting and self._places.get(thread_id) is place:
            del self._places[thread_id]
        await session.end()

    async def _tell(self) -> None:
        async with self._freed:
            self._freed.notify_all()

    async def _sweep(self) -> None:
        """End sessions that idled too long. Their times are known, so nobody looks more often than needed."""
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            for thread_id, place in list(self._places.items()):
                if place.is_idle and now - place.used_at >= self._limits.idle:
                    await self._end(thread_id, place, f"it was not used for {self._limits.idle:g} seconds.")
                    await self._tell()
            first = min((place.used_at for place in self._places.values() if place.is_idle), default=now)
            await asyncio.sleep(max(first + self._limits.idle - loop.time(), 0.01))


async def _lay_out(session: Session, files: Sequence[CodeFile]) -> None:
    """Put the thread's files in place. Raises Lost or NoBox."""
    links = []
    for file, name in zip(files, names.places(files), strict=True):
        if not file.is_output:
            key = file.file_id or name
            await session.stage(key, file)
            links.append((name, key))
    session.link(links)
    if session.is_new:
        # The newest of those that bear one name.
        for name, file in {file.name: file for file in files if file.is_output}.items():
            if names.is_plain(name):
                await session.put(name, file.read())


def _outcome(harvest: Harvest, notes: list[str], is_fresh: bool, *, ok: bool) -> CodeOutcome:
    if harvest.was_cut:
        notes.append("Output beyond the limit of a call was cut off.")
    return CodeOutcome(
        logs=harvest.logs,
        images=tuple(harvest.images),
        files=tuple(harvest.files),
        is_error=not ok,
        is_fresh=is_fresh,
        notice=_joined(notes),
    )


def _ended(reason: str) -> str:
    return f"The session has ended: {reason} Variables and imports are gone; the next call starts a new one."


def _joined(notes: list[str]) -> str | None:
    return " ".join(notes) or None
