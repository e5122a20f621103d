"""This server in front of the scripted model, on free ports and an empty folder: for whatever wants to try a client on it.

`python -m scripts.stage COMMAND...` runs a command with OPENAI_BASE_URL and SCRIPTED_URL set, and ends as it does.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

PATIENCE = 180
"""Seconds a command may take."""


def packages() -> Path | None:
    """The packages that model-written code may import, where RUNSTEAD_TEST_PACKAGES names a folder that has them."""
    prepared = os.environ.get("RUNSTEAD_TEST_PACKAGES")
    found = None if prepared is None else Path(prepared, "sandbox/packages")
    return found if found is not None and (found / "runstead-packages.json").exists() else None


@dataclass(frozen=True)
class Stage:
    """Two addresses, both ending in /v1."""

    url: str
    model_url: str


@contextmanager
def stage(imported: Path | None = None) -> Iterator[Stage]:
    """Both programs, while the block lasts; code that the model writes may import what lies in a folder."""
    with TemporaryDirectory() as folder, _program("runstead.model.scripted", environment={}) as listening:
        model_url = listening.removeprefix("listening on ")
        environment = {
            "RUNSTEAD_DATA_DIR": folder,
            "RUNSTEAD_MODEL_URL": model_url,
            # Most who come here run no code: sessions that wait for it would only be in their way.
            "RUNSTEAD_SANDBOX_WARM": "0",
        }
        if imported is not None:
            Path(folder, "sandbox").mkdir()
            Path(folder, "sandbox/packages").symlink_to(imported)
        with _program("runstead", "serve", "--port", "0", environment=environment) as banner:
            yield Stage(banner.split()[-1], model_url)


@contextmanager
def _program(*arguments: str, environment: dict[str, str]) -> Iterator[str]:
    """The first line that one of our programs prints; it is ended with the block."""
    with subprocess.Popen(
        [sys.executable, "-m", *arguments],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(filter(None, sys.path)), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            # Read to its end, so that it is not held up by what nobody reads.
            process.communicate()


def main(command: list[str]) -> int:
    with stage(packages()) as running:
        environment = {
            **os.environ,
            "OPENAI_BASE_URL": running.url,
            "OPENAI_API_KEY": "any",
            "RUNSTEAD_URL": running.url,
            "SCRIPTED_URL": running.model_url,
        }
        try:
            return subprocess.run(command, env=environment, check=False, timeout=PATIENCE).returncode
        except subprocess.TimeoutExpired:
            print(f"error: {command[0]} took more than {PATIENCE} seconds", file=sys.stderr)
            return 124


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
