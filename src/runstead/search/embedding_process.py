"""Keeps the embedding model's process: starts it when it is first needed, and again when it has died."""

import asyncio
import os
import sys
from contextlib import suppress
from itertools import count
from pathlib import Path

import msgspec
import structlog

from runstead.domain.errors import EmbeddingFailed
from runstead.search.embedding_frames import LENGTH, LONGEST, Answer, Ask, Lane, framed

log = structlog.get_logger(__name__)

START_LIMIT = 60.0
ANSWER_LIMIT = 300.0
"""Seconds for one frame of documents, on a busy machine."""
TAIL = 4096


class EmbeddingProcess:
    """Runs in the event loop's thread, which lives as long as the server: a death signal comes from a thread's end."""

    def __init__(self, weights: Path) -> None:
        self._weights = weights
        self._ids = count(1)
        self._starting = asyncio.Lock()
        self._child: _Child | None = None
        self._is_closed = False

    @property
    def pid(self) -> int | None:
        """The running process."""
        return self._child.process.pid if self._child is not None else None

    async def embed(self, lane: Lane, texts: list[str]) -> list[list[bytes]]:
        """For each text its vectors. Raises EmbeddingFailed, when a second process could not do it either."""
        for is_last in (False, True):
            child = await self._ready()
            try:
                async with asyncio.timeout(ANSWER_LIMIT):
                    answer = await child.ask(Ask(next(self._ids), lane, texts))
            except TimeoutError:
                await child.end()
                raise EmbeddingFailed("The embedding model takes too long.") from None
            except _Died:
                if is_last:
                    raise EmbeddingFailed(f"The embedding model's process died: {child.last_words()}") from None
                log.warning("the embedding model died and is started again")
                continue
            if answer.failure:
                raise EmbeddingFailed(f"The embedding model failed: {answer.failure}")
            return [list(vectors) for vectors in answer.vectors]
        raise AssertionError("the second attempt returns or raises")

    async def close(self) -> None:
        self._is_closed = True
        if self._child is not None:
            await self._child.end()

    async def _ready(self) -> "_Child":
        async with self._starting:
            if self._is_closed:
                raise EmbeddingFailed("The server stops.")
            if self._child is None or self._child.is_dead:
                self._child = await self._start()
            return self._child

    async def _start(self) -> "_Child":
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ}
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # nothing from the working folder
                "-m",
                "runstead.search.embedding_child",
                str(os.getpid()),
                str(self._weights),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd="/",
                env=kept,
                # An interrupt at the terminal is for the server.
                start_new_session=True,
            )
        except OSError as error:
            raise EmbeddingFailed(f"The embedding model does not start: {error}") from error
        child = _Child(process)
        try:
            await asyncio.wait_for(child.loaded(), START_LIMIT)
        except BaseException as error:
            await child.end()
            if isinstance(error, TimeoutError | _Died):
                raise EmbeddingFailed(f"The embedding model does not start: {child.last_words()}") from None
            raise
        log.info("the embedding model is ready", pid=process.pid)
        return child


class _Died(Exception):
    """Its pipes ended while somebody waited."""


class _Child:
    """One process and those who wait for its answers."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.is_dead = False
        self._tail = bytearray()
        self._waiting: dict[int, asyncio.Future[Answer]] = {0: asyncio.get_running_loop().create_future()}
        self._loaded = self._waiting[0]
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._listen())]

    async def loaded(self) -> None:
        await self._loaded

    async def ask(self, ask: Ask) -> Answer:
        if self.is_dead:
            raise _Died
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[ask.id] = future
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(framed(ask))
            await self.process.stdin.drain()
            return await future
        except ConnectionError:
            raise _Died from None
        finally:
            # Who gives up is forgotten; the answer that comes nevertheless finds nobody.
            self._waiting.pop(ask.id, None)

    def last_words(self) -> str:
        lines = self._tail.decode("utf-8", "replace").split("\n")
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "it said nothing")

    async def end(self) -> None:
        # It keeps no state that a gentler end would save.
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read(self) -> None:
        assert self.process.stdout is not None
        try:
            while True:
                length = int.from_bytes(await self.process.stdout.readexactly(LENGTH), "big")
                if length > LONGEST:
                    self.process.kill()
                    break
                answer = msgspec.msgpack.decode(await self.process.stdout.readexactly(length), type=Answer)
                future = self._waiting.pop(answer.id, None)
                if future is not None and not future.done():
                    future.set_result(answer)
        except (asyncio.IncompleteReadError, msgspec.DecodeError):
            pass
        finally:
            self.is_dead = True
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(_Died())
            # Those who never asked do not hear of it.
            self._loaded.cancelled() or self._loaded.exception()
            self._waiting.clear()

    async def _listen(self) -> None:
        assert self.process.stderr is not None
        while said := await self.process.stderr.read(TAIL):
            self._tail += said
            del self._tail[:-TAIL]
