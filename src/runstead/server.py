"""Serves a node on a socket, and stops it in order when it is told to."""

import asyncio
import contextlib
import gc
import socket
from collections.abc import Callable, Iterator
from typing import Literal

import structlog
import uvicorn
import uvloop

from runstead import app
from runstead.domain.errors import ModelFailed
from runstead.http.auth import is_loopback
from runstead.http.connection import Connection
from runstead.ports import Model
from runstead.settings import Settings
from runstead.stop_signals import StopSignals

log = structlog.get_logger(__name__)

BACKLOG = 2_048
LAST_SECONDS = 2.0
"""Of a stop's time, what is left for answers to be sent and files to be closed."""
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
    with StopSignals() as signals:
        async with app.running(settings, bound_host=host, role=role) as node:
            signals.has_started()
            await _serve_node(node, settings, bound, signals, on_start)
    log.info("stopped")


async def _serve_node(
    node: app.Node, settings: Settings, bound: socket.socket, signals: StopSignals, on_start: Callable[[], None]
) -> None:
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
    server.should_exit = True
    await _let_end(node, serving, haste, max(0.0, settings.drain_for - LAST_SECONDS))
    await _close(server, serving)
    for task in (stop, haste, checking):
        task.cancel()
    await asyncio.gather(stop, haste, checking, return_exceptions=True)


async def _let_end(
    node: app.Node, serving: "asyncio.Task[None]", haste: "asyncio.Task[Literal[True]]", time_left: float
) -> None:
    """Let runs end or go to others, and their readers be told, for as long as there is time and no haste."""
    loop = asyncio.get_running_loop()
    speaks_until = loop.time() + time_left
    log.info("stopping", runs=len(node.worker.drivers))
    node.worker.stop_taking()
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


async def _close(server: _Server, serving: "asyncio.Task[None]") -> None:
    """Wait for the last words of those who are answered, and for nobody else."""
    await asyncio.wait((serving,), timeout=LAST_WORDS)
    for connection in list(server.server_state.connections):
        # Whoever has not sent its request or read its answer by now is not waited for.
        connection.transport.abort()
    await asyncio.wait((serving,), timeout=LAST_WORDS / 2)
    for request in list(server.server_state.tasks):
        # Nor is who waits for a store that does not answer.
        request.cancel()
    await serving


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
