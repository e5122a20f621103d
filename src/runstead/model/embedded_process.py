"""Keeps the embedded model's process running: starts it, waits until it answers, starts it again when it dies."""

import asyncio
import os
import secrets
import sys
import time
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from runstead.domain.errors import ModelFailed
from runstead.model.embedded_server import Order, Ready

log = structlog.get_logger(__name__)

START_LIMIT = 60.0
"""Seconds for loading 98 MB, on a busy machine."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds between a death and the next start, doubled each time."""
STEADY = 60.0
"""Seconds of life after which a death is no longer taken for a consequence of the last."""
TAIL = 4096
"""Bytes of its log that are kept for the moment it fails."""


class Child:
    """One process that answered. `url` ends in /v1; only who has the key is served."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, key: str) -> None:
        self.process = process
        self.url = url
        self.key = key

    async def has_died(self, within: float = 1.0) -> bool:
        """Whether it is gone, or is within so many seconds: a reset connection is noticed before a death."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.process.wait(), within)
        return self.process.returncode is not None


class EmbeddedProcess:
    """Runs in the event loop's thread, which lives as long as the server: a death signal comes from a thread's end."""

    def __init__(self, weights: Path, name: str, *, threads: int, context: int, slots: int) -> None:
        self._order = Order(str(weights), name, "", threads, context, slots)
        self._child: Child | None = None
        self._failure = ""
        # Set while callers can be told something: here is a child, or this is why there is none.
        self._settled = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin starting it, without waiting. Needs a running loop; harmless when repeated."""
        if self._supervisor is None:
            self._supervisor = asyncio.create_task(self._supervise(), name="embedded model")

    async def ready(self) -> Child:
        """The running child; waits for one that is starting. Raises ModelFailed if it could not be started."""
        self.start()
        try:
            await asyncio.wait_for(self._settled.wait(), START_LIMIT + LONGEST_PAUSE)
        except TimeoutError:
            raise ModelFailed("server_error", "The embedded model takes too long to start.") from None
        if self._child is None:
            raise ModelFailed("server_error", f"The embedded model does not start: {self._failure}")
        return self._child

    async def close(self) -> None:
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)

    async def _supervise(self) -> None:
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            await self._live_once()
            pause = FIRST_PAUSE if time.monotonic() - began > STEADY else min(2 * pause, LONGEST_PAUSE)
            await asyncio.sleep(pause)

    async def _live_once(self) -> None:
        order = msgspec.structs.replace(self._order, key=secrets.token_urlsafe(24))
        try:
            process = await self._spawn()
        except OSError as error:
            self._fail(f"no process could be started: {error}")
            return
        log_tail = bytearray()
        logging = asyncio.create_task(_read_log(process, log_tail))
        try:
            url = await _introduce(process, order)
            if url is None:
                await _end(process)
                await logging
                self._fail(_last_words(log_tail) or f"its process ended with {process.returncode}")
                return
            self._child = Child(process, url, order.key)
            self._settled.set()
            log.info("the embedded model is ready", pid=process.pid, threads=order.threads)
            code = await process.wait()
            self._child = None
            # Those who ask now wait for the next one.
            self._settled.clear()
            log.warning("the embedded model died and is started again", code=code)
        finally:
            self._child = None
            await _end(process)
            await logging

    def _fail(self, reason: str) -> None:
        # Who waits is told at once; the next attempt is made nevertheless.
        self._failure = reason
        self._settled.set()
        log.warning("the embedded model does not start", reason=reason)

    async def _spawn(self) -> asyncio.subprocess.Process:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ}
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # nothing from the working folder
            "-m",
            "runstead.model.embedded_server",
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd="/",
            env=kept,
            # An interrupt at the terminal is for the server, which ends its runs first.
            start_new_session=True,
        )


async def _introduce(process: asyncio.subprocess.Process, order: Order) -> str | None:
    """Tell a new process what to do; where it serves, or None if it did not come to that."""
    if process.stdin is None or process.stdout is None:
        raise AssertionError("the pipes were asked for")
    try:
        process.stdin.write(msgspec.json.encode(order) + b"\n")
        await process.stdin.drain()
        line = await asyncio.wait_for(process.stdout.readline(), START_LIMIT)
        return msgspec.json.decode(line, type=Ready).url
    except (TimeoutError, ConnectionError, msgspec.DecodeError):
        return None


async def _read_log(process: asyncio.subprocess.Process, tail: bytearray) -> None:
    if process.stderr is None:
        return
    while data := await process.stderr.read(TAIL):
        tail += data
        del tail[:-TAIL]
        log.debug("the embedded model says", text=data.decode("utf-8", "replace").rstrip())


async def _end(process: asyncio.subprocess.Process) -> None:
    # It keeps no state that a gentler end would save.
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def _last_words(tail: bytearray) -> str:
    lines = tail.decode("utf-8", "replace").split("\n")
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")
