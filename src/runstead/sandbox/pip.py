"""Installs packages into a folder, with the pip of the server or of the Python that they are for."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from runstead.sandbox.interpreter import Interpreter

LIMIT = 3600
"""Seconds for one installation."""
TOLD = ("Collecting ", "Installing collected")
LAST_WORDS = 40


class Failed(Exception):
    """pip did not do it; says why."""


def install(target: Path, chosen: Interpreter, what: Sequence[str], progress: Callable[[str], None]) -> None:
    """Install what the arguments name into a folder. Raises Failed."""
    command = [
        *_pip(chosen),
        *("install", "--target", str(target), "--only-binary=:all:", "--disable-pip-version-check", "--no-input"),
        *("--no-warn-script-location", "--no-cache-dir", "--root-user-action=ignore", "--progress-bar=off", *what),
    ]
    said: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:  # noqa: S603 - our own arguments
        if process.stdout is None:
            raise AssertionError("the pipe was asked for")
        for line in process.stdout:
            said.append(line.strip())
            if line.startswith(TOLD):
                progress(f"  {line.split(' (', maxsplit=1)[0].strip()[:100]}")
        try:
            code = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Failed(f"pip did not end within {LIMIT // 60} minutes.") from None
    if code != 0:
        errors = [line for line in said if line.startswith("ERROR")] or said[-3:]
        words = " ".join(" ".join(errors).split()[-LAST_WORDS:])
        raise Failed(
            f"pip could not fetch the packages: {words or 'it gave no reason'}. Is a package registry reachable, and "
            "configured for pip?"
        )


def _pip(chosen: Interpreter) -> list[str]:
    """A pip that installs for that Python. Raises Failed."""
    for python, arguments in ((sys.executable, ["--python", chosen.executable]), (chosen.executable, [])):
        probe = [python, "-I", "-m", "pip", "--version"]
        try:
            found = subprocess.run(probe, capture_output=True, timeout=60, check=False)  # noqa: S603 - our own arguments
        except (OSError, subprocess.TimeoutExpired):
            continue
        if found.returncode == 0:
            return [python, "-m", "pip", *arguments]
    raise Failed("Neither the server's Python nor the one for code has pip. Run `python -m ensurepip` in one of them.")
