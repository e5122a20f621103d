"""The shell functions that every script begins with."""

import os
import subprocess
import sys
from pathlib import Path

ENVIRONMENT = Path(__file__).parents[2] / "scripts" / "environment.sh"


def find_python(named: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", 'source "$1" && find_python', "bash", ENVIRONMENT],
        env={**os.environ, "PYTHON": named},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_named_python_may_lie_in_a_folder_with_spaces(tmp_path):
    python = tmp_path / "my pythons" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)

    found = find_python(str(python))

    assert (found.stdout.strip(), found.stderr) == (str(python), "")


def test_a_named_python_that_is_none_is_not_replaced_by_another(tmp_path):
    found = find_python(str(tmp_path / "none"))

    assert found.returncode == 1
    assert str(tmp_path / "none") in found.stderr
