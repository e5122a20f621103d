"""What the README and the other pages tell people to type exists and runs."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from runstead.cli import main
from tests.docs.pages import PAGES, ROOT, blocks, read


def commands(group: click.Group, prefix: str = "runstead") -> Iterator[str]:
    """Every command by its full name."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}"


COMMANDS = sorted(commands(main))
WRITTEN = [(page, block) for page in PAGES for block in blocks(page.read_text(encoding="utf-8"), "bash")]
IDS = [f"{page.name}-{number}" for number, (page, _) in enumerate(WRITTEN)]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command):
    assert any(command in page.read_text(encoding="utf-8") for page in PAGES)


@pytest.mark.parametrize(("page", "block"), WRITTEN, ids=IDS)
def test_shell_examples_are_valid(page, block):
    subprocess.run(["bash", "-n"], input=block, text=True, check=True)


@pytest.mark.parametrize(("page", "block"), WRITTEN, ids=IDS)
def test_scripts_in_examples_exist(page, block):
    for script in re.findall(r"^\./(scripts/[\w-]+)", block, re.MULTILINE):
        assert (ROOT / script).stat().st_mode & 0o111, script


def test_pages_name_only_commands_that_exist():
    known = {command.split()[1] for command in COMMANDS}
    for page in PAGES:
        if "decisions" not in page.parts:
            for name in re.findall(r"`runstead (\w+)", page.read_text(encoding="utf-8")):
                assert name in known, f"{page.name}: runstead {name}"


def started(*arguments: str, environment: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@pytest.fixture
def server_url(tmp_path: Path) -> Iterator[str]:
    """A server as the README starts it, in front of a scripted model."""
    environment = {"PATH": "/usr/bin:/bin", "RUNSTEAD_DATA_DIR": str(tmp_path)}
    with started("runstead.model.scripted", environment=environment) as model:
        assert model.stdout is not None
        environment["RUNSTEAD_MODEL_URL"] = model.stdout.readline().removeprefix("listening on ").strip()
        with started("runstead", "serve", "--port", "0", environment=environment) as server:
            assert server.stdout is not None
            watchdog = threading.Timer(60, server.kill)
            watchdog.start()
            yield server.stdout.readline().split()[-1]
            server.terminate()
            server.communicate()
            watchdog.cancel()
        model.terminate()


def test_the_readmes_python_runs(server_url):
    (example,) = blocks(read("README.md"), "python")
    assert "http://127.0.0.1:8000/v1" in example

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", example.replace("http://127.0.0.1:8000/v1", server_url)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "completed Echo: What is a thread?\n"
