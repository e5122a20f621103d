"""The command line as a process: what it prints, where, and how soon."""

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.processes import environment, program
from tests.acceptance.scripted import ScriptedServer
from tests.acceptance.wire.drama import Starter
from tests.acceptance.wire.talk import Api


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [program("RUNSTEAD_BIN"), *arguments]
    return subprocess.run(
        command, env=environment(**variables), capture_output=True, text=True, timeout=60, check=False
    )


def test_the_version_is_told_on_one_line():
    told = run("--version")

    assert (told.returncode, told.stderr) == (0, "")
    assert re.fullmatch(r"runstead, version \d+\.\d+\.\d+\n", told.stdout)


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_command(flag):
    told = run(flag)

    assert (told.returncode, told.stderr) == (0, "")
    assert {"serve", "doctor", "demo", "model"} <= set(re.findall(r"^  (\w+) ", told.stdout, re.MULTILINE))


def test_help_on_serving_tells_the_defaults():
    told = run("serve", "--help").stdout

    assert "127.0.0.1" in told
    assert "8000" in told


@pytest.mark.parametrize(
    "arguments", [["fly"], ["serve", "--port", "65536"], ["serve", "--port", "x"], ["serve", "--prot", "1"]]
)
def test_a_wrong_command_line_is_refused_with_usage(arguments):
    told = run(*arguments)

    assert told.returncode == 2
    assert told.stdout == ""
    assert told.stderr.startswith("Usage: ")
    assert "Traceback" not in told.stderr


def test_the_banner_says_where_what_and_with_whom(starter: Starter):
    server = starter()
    server.stop()
    assert server.process.stdout is not None

    assert re.match(r"Runstead \d+\.\d+\.\d+ listens on http://127\.0\.0\.1:\d+/v1", server.banner)


PARTS = ["Runstead", "wire", "model", "search", "code", "store", "files", "keys"]


def test_the_banner_is_on_standard_output_and_the_log_on_standard_error(scripted: ScriptedServer, tmp_path: Path):
    with subprocess.Popen(
        [program("RUNSTEAD_BIN"), "serve", "--port", "0"],
        env=environment(RUNSTEAD_DATA_DIR=str(tmp_path), RUNSTEAD_MODEL_URL=scripted.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(8)]
        assert Api(lines[0].split()[-1]).send("GET", "/nowhere").status == 404
        process.terminate()
        rest, log = process.communicate(timeout=30)

    banner = "".join(lines)
    assert rest == ""
    assert [line.split()[0] for line in banner.splitlines()] == PARTS
    assert "assistants=v1 and assistants=v2" in banner
    assert scripted.url in banner
    assert str(tmp_path / "runstead.db") in banner
    logged = [json.loads(line) for line in log.splitlines()]
    assert all({"event", "level", "timestamp"} <= set(line) for line in logged)
    assert "/v1/nowhere" in [line.get("path") for line in logged]
    assert process.returncode == 0


def test_on_a_terminal_the_log_is_for_people(scripted: ScriptedServer, tmp_path: Path):
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [program("RUNSTEAD_BIN"), "serve", "--port", "0"],
        env=environment(RUNSTEAD_DATA_DIR=str(tmp_path), RUNSTEAD_MODEL_URL=scripted.url, TERM="xterm"),
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    ) as process:
        os.close(theirs)
        assert process.stdout is not None
        assert Api(process.stdout.readline().split()[-1]).send("GET", "/nowhere").status == 404
        process.terminate()
        assert process.wait(30) == 0
    shown = re.sub("\x1b\\[[0-9;]*m", "", _all_of(ours))

    assert re.search(r"\d\d:\d\d:\d\d \[info +\] request .*path=/v1/nowhere", shown)
    assert '{"' not in shown


def _all_of(descriptor: int) -> str:
    pieces = []
    while True:
        try:
            piece = os.read(descriptor, 65_536)
        except OSError:
            # Linux: a terminal whose other end is gone.
            break
        if not piece:
            break
        pieces.append(piece)
    os.close(descriptor)
    return b"".join(pieces).decode()


def test_a_quieter_log_has_no_requests_in_it(starter: Starter):
    server = starter(RUNSTEAD_LOG_LEVEL="error")
    Api(server.url).send("GET", "/nowhere")
    server.stop()

    assert server.log == ""


def test_the_doctor_finds_a_well_server_well(scripted: ScriptedServer, tmp_path: Path):
    told = run("doctor", RUNSTEAD_DATA_DIR=str(tmp_path), RUNSTEAD_MODEL_URL=scripted.url)

    assert told.returncode == 0, told
    assert "fail" not in told.stdout
    assert scripted.url in told.stdout


def test_the_doctor_names_a_remedy_for_what_is_wrong(tmp_path: Path):
    told = run(
        "doctor", RUNSTEAD_DATA_DIR=str(tmp_path), RUNSTEAD_MODEL_URL="http://127.0.0.1:9/v1", RUNSTEAD_DRAIN_FOR="soon"
    )

    assert told.returncode == 1
    assert "Traceback" not in told.stderr
    assert re.search(r"^fail .*RUNSTEAD_DRAIN_FOR", told.stdout, re.MULTILINE)


@pytest.mark.parametrize("folder", ["/proc/runstead", "/dev/null/runstead"])
def test_the_doctor_survives_a_data_folder_that_cannot_be(scripted: ScriptedServer, folder):
    told = run("doctor", RUNSTEAD_DATA_DIR=folder, RUNSTEAD_MODEL_URL=scripted.url)

    assert told.returncode == 1
    assert "Traceback" not in told.stderr
    assert re.search(r"^fail ", told.stdout, re.MULTILINE)


def test_the_doctor_leaves_a_running_server_alone(starter: Starter):
    server = starter()
    told = run("doctor", RUNSTEAD_DATA_DIR=str(starter.data_dir), RUNSTEAD_MODEL_URL=starter.model_url)

    assert "Traceback" not in told.stderr
    assert Api(server.url).post("/threads")["object"] == "thread"


def test_the_doctor_keeps_secrets(scripted: ScriptedServer, tmp_path: Path):
    told = run(
        "doctor",
        RUNSTEAD_DATA_DIR=str(tmp_path),
        RUNSTEAD_MODEL_URL=scripted.url,
        RUNSTEAD_MODEL_KEY="hide-this",
        RUNSTEAD_API_KEYS="and-that",
    )

    assert "hide-this" not in told.stdout
    assert "and-that" not in told.stdout
