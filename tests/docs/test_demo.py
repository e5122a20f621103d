"""The demonstration as a user runs it, against a scripted model server."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

FIELDS = [
    "id",
    "object",
    "created_at",
    "thread_id",
    "assistant_id",
    "status",
    "required_action",
    "last_error",
    "expires_at",
    "started_at",
    "cancelled_at",
    "failed_at",
    "completed_at",
    "model",
    "instructions",
    "tools",
    "file_ids",
    "metadata",
]


@pytest.fixture(scope="module")
def model_url() -> Iterator[str]:
    command = [sys.executable, "-m", "runstead.model.scripted"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().removeprefix("listening on ").strip()
        server.terminate()


def demonstrate(model_url: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "runstead", "demo", *arguments],
        env={**os.environ, "RUNSTEAD_MODEL_URL": model_url, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_demonstration_shows_a_run_and_leaves_nothing_behind(model_url, tmp_path):
    temporary = tmp_path / "tmp"
    temporary.mkdir()

    done = demonstrate(model_url, RUNSTEAD_DATA_DIR=str(tmp_path / "data"), TMPDIR=str(temporary))

    assert done.returncode == 0, done.stderr
    assert "> Echo: " in done.stdout
    assert re.findall(r'^  "(\w+)":', done.stdout, re.MULTILINE) == FIELDS
    assert '"status": "completed"' in done.stdout
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "data" / "runstead.db").exists()


def test_it_presents_a_key_where_keys_are_asked_for(model_url, tmp_path):
    done = demonstrate(model_url, RUNSTEAD_DATA_DIR=str(tmp_path), RUNSTEAD_API_KEYS="sk-one,sk-two")

    assert done.returncode == 0, done.stderr


def test_a_model_server_that_cannot_be_reached_is_said_plainly(tmp_path):
    done = demonstrate("http://127.0.0.1:9/v1", RUNSTEAD_DATA_DIR=str(tmp_path))

    assert done.returncode == 1
    assert "RUNSTEAD_MODEL_URL" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_that_fails_ends_the_demonstration_with_its_reason(model_url, tmp_path):
    done = demonstrate(f"{model_url}/nowhere", "--model", "any", RUNSTEAD_DATA_DIR=str(tmp_path))

    assert done.returncode == 1
    assert "The run ended as failed" in done.stderr
    assert tempfile.gettempdir() not in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="Elsewhere a parent's death is not signalled.")
def test_a_demonstration_that_is_killed_takes_its_server_along(model_url, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-m", "runstead", "demo", "--serve"],
        env={**os.environ, "RUNSTEAD_MODEL_URL": model_url, "RUNSTEAD_DATA_DIR": str(tmp_path), "TMPDIR": str(tmp_path)}
        | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as demo:
        try:
            assert demo.stdout is not None
            stays = next(filter(None, (re.search(r"stays at http://(.+):(\d+)/v1", line) for line in demo.stdout)))
            address = stays[1], int(stays[2])
            assert is_served(address)

            demo.kill()

            give_up_at = time.monotonic() + 20
            while is_served(address):
                assert time.monotonic() < give_up_at
                time.sleep(0.05)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(demo.pid, signal.SIGKILL)


def is_served(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=5).close()
    except OSError:
        return False
    return True
