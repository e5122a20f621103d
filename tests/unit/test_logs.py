"""What an unforeseen error leaves in the log: where it happened, and nothing that was held there."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import logging, sys
import structlog
from runstead import logs

def handle(authorization, body):
    held = {"authorization": authorization, "body": body}
    raise LookupError("nobody foresaw this")

logs.configure("info")
for log in (structlog.get_logger("ours"), logging.getLogger("a library's")):
    try:
        # Read from the input, so that no line of source holds them.
        handle(*sys.stdin.readline().split())
    except LookupError:
        log.exception("unforeseen")
"""
SECRETS = "sk-very-secret my-private-words\n"


def logged(stderr: int) -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], input=SECRETS * 2, text=True, stderr=stderr, check=True)


def on_a_terminal() -> str:
    ours, theirs = pty.openpty()
    try:
        logged(theirs)
        os.close(theirs)
        said = b""
        # On Linux a terminal that nobody holds any more ends with an error.
        try:
            while read := os.read(ours, 65_536):
                said += read
        except OSError:
            pass
        return said.decode()
    finally:
        os.close(ours)


def in_a_file(tmp_path: Path) -> str:
    with (tmp_path / "log").open("w+") as file:
        logged(file.fileno())
        file.seek(0)
        return file.read()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_logged_error_tells_its_place_and_not_what_was_held_there(is_terminal, tmp_path) -> None:
    said = on_a_terminal() if is_terminal else in_a_file(tmp_path)

    assert said.count("unforeseen") == 2
    assert said.count("nobody foresaw this") >= 2
    assert said.count("handle") >= 2
    assert "sk-very-secret" not in said
    assert "my-private-words" not in said
