"""Serves a node on a socket, and stops it in order when it is told to."""

import asyncio
import contextlib
import gc
import math
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Self

import structlog
import uvicorn
import uvloop

from runstead import app
from runstead.domain.errors import ModelFailed
from runstead.http.auth import is_loopback
from runstead.http.connection import Connection
from runstead.ports import Model
from runstead.settings import Settings

log = structlog.get_logger(__name__)

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
BACKLOG = 2_048
LAST_SECONDS = 2.0
"""Of a stop's time, what is left for answers to be sent and files to be closed."""
ONE_WISH = 1.0
"""Seconds within which several signals mean one: a terminal tells a whole group, and a wrapper passes on what it hears."""
LAST_WORDS = 0.5
"""Of those, what readers have to take the last that they are told."""


class CannotServe(Exception):
    """Why the server does not start, in a sentence with a remedy."""


def bind(host: str, port: int, *, has_keys: bool) -> socket.socket:
    """A bound socket; port 0 takes a free one. Raises CannotServe."""
    if not has_keys and not is_loopback(host):
        raise CannotServe(
            f"{host} can be reached from other machines and RUNSTEAD_API_KEYS is not set, so anybody could use this "
            "server. Set RUNSTEAD_API_KEYS to one or more keys, or serve on 127.0.0.1."
        )
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(BACKLOG)
    except (OSError, OverflowError, UnicodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "there is no such address"
        raise CannotServe(f"Cannot listen on {host} port {port}: {words}. Choose another with --port.") from None
    return bound


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: a stop has more to do than to close connections."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(settings: Settings, bound: socket.socket, host: str, *, role: app.Role, on_start: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a second one shortens that. Raises what app.running raises."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(_serve(settings, bound, host, role, on_start))
        except asyncio.CancelledError:
            log.info("stopped before it had started")


async def _serve(
    settings: Settings, bound: socket.socket, host: str, role: app.Role, on_start: Callable[[], None]
) -> None:
    loop = asyncio.get_running_loop()
    async with _Signals() as signals, app.running(settings, bound_host=host, role=role) as node:
        signals.has_started()
        config = uvicorn.Config(
            node.asgi,
            http=Connection,
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_keep_alive=75,
            # Never reached: what is still open is closed before, and without an error in the log.
            timeout_graceful_shutdown=int(settings.drain_for + 2 * LAST_SECONDS),
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        stop = asyncio.create_task(signals.stop.wait())
        haste = asyncio.create_task(signals.haste.wait())
        # What was built so far lives as long as the process: no collection needs to look at it again.
        gc.collect()
        gc.freeze()
        # Young objects by the thousand are a run's everyday; looking through them more seldom finds as little.
        gc.set_threshold(10_000, 20, 50)
        on_start()
        checking = asyncio.create_task(_check(node.model))
        await asyncio.wait((serving, stop), return_when=asyncio.FIRST_COMPLETED)
        speaks_until = loop.time() + settings.drain_for - LAST_SECONDS
        log.info("stopping", runs=len(node.worker.drivers))
        node.worker.stop_taking()
        server.should_exit = True
        time_left = max(0.0, settings.drain_for - LAST_SECONDS)
        # Where there are others they go on with the runs at once.
        finish_for = time_left / 2 if node.is_alone else 0.0
        leaving = asyncio.create_task(_leave(node))
        draining = asyncio.create_task(node.worker.drain(time_left, finish_for=finish_for))
        await asyncio.wait((draining, haste), return_when=asyncio.FIRST_COMPLETED)
        if haste.done():
            log.info("stopping at once", runs=len(node.worker.drivers))
            await node.worker.drain(min(time_left, LAST_SECONDS), finish_for=0.0)
        await draining
        await leaving
        if not node.is_alone:
            # This node tells its readers what others do for as long as it may.
            time_left = max(0.0, speaks_until - loop.time())
            await asyncio.wait((serving, haste), timeout=time_left, return_when=asyncio.FIRST_COMPLETED)
        node.bus.stop()
        time_left = max(0.0, speaks_until - loop.time())
        await asyncio.wait((serving, haste), timeout=time_left, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait((serving,), timeout=LAST_WORDS)
        for connection in list(server.server_state.connections):
            # Whoever has not sent its request or read its answer by now is not waited for.
            connection.transport.abort()
        await asyncio.wait((serving,), timeout=LAST_WORDS / 2)
        for request in list(server.server_state.tasks):
            # Nor is who waits for a store that does not answer.
            request.cancel()
        await serving
        for task in (stop, haste, checking):
            task.cancel()
        await asyncio.gather(stop, haste, checking, return_exceptions=True)
    log.info("stopped")


class _Signals:
    """What whoever sends SIGTERM or SIGINT wants: a stop in order, and with one that comes later, at once."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.haste = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._starting = asyncio.current_task()
        self._hasty_from = math.inf

    async def __aenter__(self) -> Self:
        for number in STOP_SIGNALS:
            # Not the loop's own: those are gone for a moment before a process can say that it ignores them.
            signal.signal(number, lambda *_: self._loop.call_soon_threadsafe(self._came))
        return self

    async def __aexit__(self, *reason: object) -> None:
        """The stop was in order and says so, whatever comes while the process ends."""
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def has_started(self) -> None:
        """From now on there is something to drain. A start may wait long for others, and is given up at once."""
        self._starting = None

    def _came(self) -> None:
        now = self._loop.time()
        if self.stop.is_set():
            if now >= self._hasty_from:
                self.haste.set()
            return
        self._hasty_from = now + ONE_WISH
        self.stop.set()
        if self._starting is not None:
            self._starting.cancel()


async def _leave(node: app.Node) -> None:
    """Tell other nodes not to wait for what this one has: where there are others, no run goes on here to use it."""
    if node.code_sessions is not None:
        await node.code_sessions.leave()


async def _check(model: Model) -> None:
    """Say at the start what the first run would find out."""
    try:
        log.info("the model answers", answer=await model.check())
    except ModelFailed as failure:
        log.warning("the model does not answer", reason=failure.message)
