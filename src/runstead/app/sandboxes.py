"""What runs model-written code."""

from collections.abc import Callable
from pathlib import Path

from msgspec import structs

from runstead.ports import Sandbox
from runstead.settings import Settings


def open_sandbox(settings: Settings) -> Sandbox:
    """The sandbox that settings and machine allow; needs a running loop.

    It is tried in the background. One that does not work is no reason not to start: each run that needs it says so.
    """
    from runstead.sandbox import opening

    chosen = opening.open_sandbox(settings)
    chosen.start()
    return chosen


async def ask_sandbox(settings: Settings) -> str:
    """What runs code here, in a line, after a trial. Raises SandboxUnavailable."""
    from runstead.sandbox import opening

    # A trial is one session; none has to be kept ready.
    chosen = opening.open_sandbox(structs.replace(settings, sandbox_warm=0))
    try:
        return await chosen.check()
    finally:
        await chosen.close()


def what_code_finds(settings: Settings) -> str:
    """What the settings let model-written code have, in a line, before anything was tried."""
    from runstead.sandbox import opening

    return opening.what_code_finds(settings)


def prepare_sandbox(settings: Settings, progress: Callable[[str], None]) -> None:
    """Fetch the packages that code may import; told sentence by sentence. Raises RunsteadError."""
    from runstead.sandbox import opening

    opening.prepare(settings, progress)


async def serve_sandbox(
    settings: Settings, host: str, port: int, certificate: Path, key: Path | None, on_start: Callable[[str], None]
) -> None:
    """Lend sandboxes to other machines until SIGTERM or SIGINT. Raises RunsteadError or OSError if that cannot begin."""
    from runstead.sandbox import serving

    await serving.serve(settings, host, port, certificate, key, on_start)
