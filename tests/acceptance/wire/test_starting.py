"""Starts that cannot be: each says why in a sentence, and touches nothing. And a disk that fills up meanwhile."""

import os
import resource
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.acceptance.processes import DidNotStart, start_server
from tests.acceptance.scripted import Model, ScriptedServer, text
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.drama import Drama, Starter
from tests.acceptance.wire.talk import Api, address

MIB = 2**20


def refusal_of(starter: Starter, *arguments: str, **variables: str) -> str:
    """The sentence with which a start is refused."""
    with pytest.raises(DidNotStart) as refusal:
        starter(*arguments, **variables)
    said = str(refusal.value)
    assert "Traceback" not in said
    assert "ended with status 1 " in said
    return said.rpartition("Error: ")[2].strip()


def test_a_second_server_on_the_same_data_is_refused_and_the_first_goes_on(starter: Starter):
    first = starter()
    api = Api(first.url)
    thread = api.post("/threads")

    said = refusal_of(starter)

    assert f"another server (process {first.process.pid}) already serves it" in said
    assert "stop that one, or use another data directory" in said
    assert api.get(f"/threads/{thread['id']}") == thread


def test_a_data_folder_is_free_again_as_soon_as_its_server_is_killed(starter: Starter):
    starter().kill()

    assert Api(starter().url).send("GET", "/assistants").status == 200


def test_a_port_in_use_is_named(starter: Starter):
    host, port = address(starter().url)
    other = Starter(starter.data_dir / "other", starter.model_url, starter._all)

    said = refusal_of(other, "--port", str(port))

    assert said == f"Cannot listen on {host} port {port}: Address already in use. Choose another with --port."
    assert not (starter.data_dir / "other" / "runstead.db").exists()


def test_an_address_of_another_machine_is_named(starter: Starter):
    said = refusal_of(starter, "--host", "192.0.2.1", RUNSTEAD_API_KEYS="key")

    assert said.startswith("Cannot listen on 192.0.2.1 port 0: ")


@pytest.mark.parametrize("folder", ["/proc/runstead", "/dev/null/runstead"])
def test_a_data_folder_that_cannot_be_made_is_named(starter: Starter, folder):
    said = refusal_of(starter, RUNSTEAD_DATA_DIR=folder)

    assert folder in said
    assert "cannot be used" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can serve as somebody else")
def test_a_data_folder_of_somebody_else_is_named(tmp_path: Path, starter: Starter):
    # Root may write everywhere, so the folder is one where nobody can.
    readonly = tmp_path / "readonly"
    readonly.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=64k", "tmpfs", readonly], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        said = refusal_of(starter, RUNSTEAD_DATA_DIR=str(readonly))
    finally:
        subprocess.run(["umount", readonly], check=True)

    assert str(readonly) in said


def test_a_data_folder_that_is_a_file_is_named(starter: Starter):
    starter.data_dir.mkdir()
    file = starter.data_dir / "file"
    file.write_text("mine")

    assert str(file) in refusal_of(starter, RUNSTEAD_DATA_DIR=str(file))
    assert file.read_text() == "mine"


CORRUPTIONS = {
    "no database": b"This is not a database. " * 500,
    "a cut header": b"SQLite format 3\0" + b"\xff" * 50,
    "a header of nonsense": b"SQLite format 3\0" + b"\xff" * 8_000,
}


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(starter: Starter, kind):
    starter.data_dir.mkdir()
    database = starter.data_dir / "runstead.db"
    database.write_bytes(CORRUPTIONS[kind])

    said = refusal_of(starter)

    assert said.startswith(f"The database {database} cannot be used: ")
    assert database.read_bytes() == CORRUPTIONS[kind]


def test_a_newer_database_is_refused_and_left_as_it_is(starter: Starter):
    starter().stop()
    database = starter.data_dir / "runstead.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "INSERT INTO migrations (version, name) VALUES (9999, '9999_from_the_future_since_9998.sql')"
        )
    connection.close()
    before = database.read_bytes()

    said = refusal_of(starter)

    assert "its schema has version 9999 and this program knows versions up to" in said
    assert "start the newer release again, or restore a backup" in said
    assert database.read_bytes() == before


def test_a_database_of_another_program_is_refused(starter: Starter):
    starter.data_dir.mkdir()
    connection = sqlite3.connect(starter.data_dir / "runstead.db")
    connection.execute("CREATE TABLE threads (title TEXT)")
    connection.commit()
    connection.close()

    assert "cannot be used" in refusal_of(starter)


def test_a_start_that_was_refused_can_be_repeated_once_its_cause_is_gone(starter: Starter):
    starter.data_dir.mkdir()
    database = starter.data_dir / "runstead.db"
    database.write_bytes(CORRUPTIONS["no database"])
    refusal_of(starter)
    database.unlink()

    assert Api(starter().url).send("GET", "/assistants").status == 200


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of four mebibytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill_the_disk(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)


def test_a_full_disk_refuses_writes_keeps_reads_and_heals(small_disk: Path, scripted: ScriptedServer, model: Model):
    with start_server(small_disk, scripted.url, RUNSTEAD_DRAIN_FOR="2") as server:
        api = Api(server.url)
        drama = Drama.open(api, model)
        ballast = small_disk / "ballast"
        fill_the_disk(ballast)
        refused = eventually(
            lambda: api.send("POST", "/threads", {"messages": [{"role": "user", "content": "x" * 200_000}]}),
            lambda answer: answer.status != 200,
        )

        assert refused.status == 503
        assert refused.error["type"] == "server_error"
        assert refused.headers["retry-after"]
        assert api.send("GET", drama.path).status == 200

        ballast.unlink()
        assert api.send("POST", "/threads", {}).status == 200
        model.will(text("Hi"))
        assert drama.ended(drama.start()["id"])["status"] == "completed"
        assert server.stop() == 0


def test_a_run_survives_a_disk_that_is_full_for_a_moment(starter: Starter, model: Model):
    server = starter()
    drama = Drama.open(Api(server.url), model)
    model.will(text("one two three", hold_before=2), text("one two three"))
    run = drama.start()["id"]
    model.wait(held=1)
    write_ahead = starter.data_dir / "runstead.db-wal"
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    # No file may grow beyond what the log of writes has now: the process meets what a full disk would tell it.
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (write_ahead.stat().st_size, hard))
    assert drama.api.send("POST", "/threads", {"metadata": {"k": "x" * 500}}).status == 503
    model.release()
    assert drama.run(run)["status"] == "in_progress"

    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))

    assert drama.ended(run)["status"] == "completed"
    assert drama.said() == ["Hello", "one two three"]
    assert drama.is_free()


def test_a_log_that_nobody_reads_any_more_harms_nobody(starter: Starter, model: Model):
    from tests.acceptance.processes import environment, program

    reading, writing = os.pipe()
    command = [program("RUNSTEAD_BIN"), "serve", "--port", "0"]
    settings = {"RUNSTEAD_DATA_DIR": str(starter.data_dir), "RUNSTEAD_MODEL_URL": starter.model_url}
    with subprocess.Popen(
        command, env=environment(**settings), stdout=subprocess.PIPE, stderr=writing, text=True
    ) as process:
        os.close(writing)
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            os.close(reading)
            api = Api(url)
            assert api.send("GET", "/nowhere").status == 404
            drama = Drama.open(api, model)
            model.will(text("Hi"))
            assert drama.ended(drama.start()["id"])["status"] == "completed"
        finally:
            process.terminate()
        assert process.wait(20) == 0


def test_sockets_of_another_family_are_served(starter: Starter):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    server = starter("--host", "::1")

    assert "http://[::1]:" in server.banner
    assert Api(server.url).send("GET", "/assistants").status == 200
