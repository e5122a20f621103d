"""`runstead sandbox serve` from start to stop: choose a launcher by its trial, listen, lend, clean up."""

import asyncio
import signal
import ssl
from collections.abc import Callable
from pathlib import Path

import structlog

from runstead.domain.errors import RunsteadError
from runstead.sandbox import opening
from runstead.sandbox.choice import choose
from runstead.sandbox.memory import free_memory, sessions_that_fit
from runstead.sandbox.node import Node
from runstead.settings import Settings

log = structlog.get_logger(__name__)

SHORTEST_SECRET = 16


class CannotLend(RunsteadError):
    """Why no sandboxes are served, in a sentence with a remedy."""


async def serve(
    settings: Settings, host: str, port: int, certificate: Path, key: Path | None, on_start: Callable[[str], None]
) -> None:
    """Until SIGTERM or SIGINT. Raises CannotLend or SandboxUnavailable."""
    secret = settings.sandbox_secret
    if secret is None or len(secret) < SHORTEST_SECRET:
        raise CannotLend(
            f"RUNSTEAD_SANDBOX_SECRET has to be set, to {SHORTEST_SECRET} characters or more: whoever knows it may run "
            "code on this machine."
        )
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    limits = opening.limits(settings)
    launcher = await choose(opening.candidates(settings, are_local=True), limits, is_strict=settings.sandbox_strict)
    node = Node(launcher, limits, secret, limits.sessions or sessions_that_fit(free_memory()))
    try:
        server = await node.listen(host, port, certificate, key)
        address = server.sockets[0].getsockname()
        on_start(f"Sandboxes by {launcher.name} are lent on tls://{address[0]}:{address[1]}")
        await stopping.wait()
        server.close()
    except (OSError, ssl.SSLError) as error:
        raise CannotLend(f"Cannot serve on {host} port {port} with {certificate}: {error}.") from None
    finally:
        await node.close()
