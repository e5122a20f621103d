"""Starting the programs under test: the real server and the scripted model server, each as a process of its own.

Runs in environments that hold pytest and a client only, so nothing of the program is imported.
"""

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from tests.acceptance.scripted import ScriptedServer

PATIENCE = 30.0
"""Seconds a process may take to end; a slow machine needs some of them."""
FOREIGN = re.compile(r"(RUNSTEAD|OPENAI)_|(HTTPS?|ALL|NO)_PROXY$", re.IGNORECASE)
COMPLAINT = re.compile(r'"level": "(error|critical)"|^Traceback|Exception ignored|was never awaited', re.MULTILINE)


NO_SANDBOX = {"RUNSTEAD_SANDBOX": "off"}
"""Hundreds of servers are started here, and each would try its launchers and make sessions for code that never comes."""


class DidNotStart(AssertionError):
    """The program ended before it said where it listens."""


class Server:
    """A running `runstead serve`; leaving its block ends it, whatever state it is in."""

    def __init__(self, process: subprocess.Popen[str], banner: str, data_dir: Path, log: Path) -> None:
        self.process = process
        self.banner = banner
        self.url = _address(banner)
        self.data_dir = data_dir
        self._log = log

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def log(self) -> str:
        """What the server wrote to standard error."""
        return self._log.read_text(errors="replace")

    @property
    def complaints(self) -> list[str]:
        """The lines of the log that say that the server itself did something wrong."""
        return [line for line in self.log.splitlines() if COMPLAINT.search(line)]

    def kill(self) -> None:
        """End the process as a power cut would: without a chance to tidy up."""
        self.process.kill()
        self._reap()

    def stop(self) -> int:
        """SIGTERM, and the exit status. Killed if it does not end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self._reap()
        return self.process.returncode

    def _reap(self) -> None:
        self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without what would change the program's behaviour, and with `variables`."""
    kept = {name: value for name, value in os.environ.items() if not FOREIGN.match(name)}
    return {**kept, **variables}


def start_server(data_dir: Path, model_url: str, *arguments: str, **variables: str) -> Server:
    """Start a server that keeps its data in `data_dir` and wait until it listens.

    `variables` are further settings, such as RUNSTEAD_RUN_EXPIRES_AFTER="2". A second start on the same folder
    finds what the first one stored and appends to its log. Raises DidNotStart.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    log = data_dir / "server.log"
    settings = {"RUNSTEAD_DATA_DIR": str(data_dir), "RUNSTEAD_MODEL_URL": model_url, **NO_SANDBOX, **variables}
    with log.open("a") as errors:
        command = [program("RUNSTEAD_BIN"), "serve", "--port", "0", *arguments]
        process = _spawn(command, environment(**settings), errors)
    try:
        return Server(process, _first_line(process), data_dir, log)
    except DidNotStart as refusal:
        raise DidNotStart(f"{refusal}\n{log.read_text(errors='replace')}") from None


@contextmanager
def scripted_server() -> Iterator[ScriptedServer]:
    """The chat-completions server whose answers the tests write, until the block ends."""
    command = [program("RUNSTEAD_PYTHON"), "-m", "runstead.model.scripted", "--port", "0"]
    with _spawn(command, environment(), None) as process:
        try:
            yield ScriptedServer(_address(_first_line(process)))
        finally:
            process.terminate()
            process.wait(PATIENCE)


def program(variable: str) -> str:
    """What a variable names; `scripts/test` sets both."""
    try:
        return os.environ[variable]
    except KeyError:
        raise DidNotStart(f"{variable} is not set; scripts/test sets it.") from None


def _spawn(command: list[str], variables: Mapping[str, str], errors: IO[Any] | None) -> subprocess.Popen[str]:
    return subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=errors, text=True)


def _first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.stdout.close()
        raise DidNotStart(f"{process.args!r} ended with status {process.wait(PATIENCE)} before it listened.")
    return line.rstrip("\n")


def _address(line: str) -> str:
    found = re.search(r"http://\S+/v1", line)
    assert found is not None, f"no address in {line!r}"
    return found[0]
