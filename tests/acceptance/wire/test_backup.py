"""`runstead backup` while its server works, and a node brought back from it after the worst."""

import http.client
import json
import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.acceptance.processes import environment, program, start_server
from tests.acceptance.scripted import Json, Model, call, calls, text
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.drama import Drama, Starter
from tests.acceptance.wire.talk import Api, address


def back_up(data_dir: Path, *arguments: str | Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [program("RUNSTEAD_BIN"), "backup", *arguments],
        env=environment(RUNSTEAD_DATA_DIR=str(data_dir), **variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def refusal(*arguments: str | Path, data_dir: Path, **variables: str) -> str:
    told = back_up(data_dir, *arguments, **variables)
    assert (told.returncode, told.stdout) == (1, "")
    assert "Traceback" not in told.stderr
    return told.stderr.removeprefix("Error: ").strip()


class Writers:
    """Clients that create threads as quickly as they are answered, and remember what they were told."""

    def __init__(self, url: str) -> None:
        self.acknowledged: list[str] = []
        self._url = url
        self._stop = threading.Event()

    @contextmanager
    def at_work(self, count: int = 4) -> Iterator["Writers"]:
        threads = [threading.Thread(target=self._write) for _ in range(count)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _write(self) -> None:
        api = Api(self._url)
        while not self._stop.is_set():
            self.acknowledged.append(api.post("/threads", {"messages": [{"role": "user", "content": "Hi"}]})["id"])


def test_what_was_acknowledged_before_a_backup_is_in_it(
    starter: Starter, model: Model, scripted, tmp_path: Path
) -> None:
    server = starter()
    drama = Drama.open(Api(server.url), model)
    model.will(calls(call("look")), text("Seen"))
    waiting = drama.rested(drama.start()["id"])
    destination = tmp_path / "backup"
    with Writers(server.url).at_work() as writers:
        eventually(lambda: len(writers.acknowledged), lambda count: count > 50)
        before = list(writers.acknowledged)
        told = back_up(starter.data_dir, destination)
        during = len(writers.acknowledged) - len(before)
    assert (told.returncode, told.stderr) == (0, "")
    assert during > 0
    server.kill()
    shutil.rmtree(starter.data_dir)

    shutil.copytree(destination, restored := tmp_path / "restored")
    with start_server(restored, scripted.url, RUNSTEAD_DRAIN_FOR="3") as back:
        api = Api(back.url)
        for id in before:
            [message] = api.get(f"/threads/{id}/messages")["data"]
            assert message["content"][0]["text"]["value"] == "Hi"
        there = drama.at(api)
        assert there.run(waiting["id"]) == waiting
        there.submit(waiting)
        assert there.ended(waiting["id"])["status"] == "completed"
        assert there.said() == ["Hello", "Seen"]
        assert back.stop() == 0
        assert back.complaints == []


def test_a_run_that_was_under_way_in_a_backup_goes_on_from_it(starter: Starter, model: Model, scripted, tmp_path: Path):
    server = starter()
    drama = Drama.open(Api(server.url), model)
    model.will(text("one two three", hold_before=2), text("From the beginning"))
    run = drama.start()["id"]
    model.wait(held=1)
    assert back_up(starter.data_dir, tmp_path / "backup").returncode == 0
    server.kill()

    with start_server(tmp_path / "backup", scripted.url, RUNSTEAD_DRAIN_FOR="3") as back:
        there = drama.at(Api(back.url))
        assert there.ended(run)["status"] == "completed"
        assert there.said() == ["Hello", "From the beginning"]


def test_a_backup_says_what_it_is_and_is_nobody_elses_to_read(starter: Starter, tmp_path: Path):
    starter().stop()
    destination = tmp_path / "backup"

    told = back_up(starter.data_dir, destination)

    said = json.loads((destination / "backup.json").read_text())
    assert told.stdout.startswith(f"{destination}: schema {said['schema']}")
    assert destination.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in tmp_path.iterdir() if "backup" in path.name] == ["backup"]


def upload(api: Api, name: str, content: bytes) -> Json:
    """A file as it was answered."""
    boundary = "part"
    head = f'--{boundary}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nassistants\r\n--{boundary}\r\n'
    head += f'content-disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    connection = http.client.HTTPConnection(*address(api.url), timeout=20)
    try:
        connection.request("POST", "/v1/files", body, {"content-type": f"multipart/form-data; boundary={boundary}"})
        answer = connection.getresponse()
        found: Json = json.loads(answer.read())
        assert answer.status == 200, found
    finally:
        connection.close()
    return found


def test_files_and_what_finds_them_come_along(starter: Starter, scripted, tmp_path: Path):
    server = starter()
    api = Api(server.url)
    content = b"The heron stands in the reeds and waits. " * 2_000
    file = upload(api, "heron.txt", content)
    store = api.post("/vector_stores", {"file_ids": [file["id"]]})["id"]
    done = lambda: api.get(f"/vector_stores/{store}")["file_counts"]  # noqa: E731
    assert eventually(done, lambda counts: not counts["in_progress"])["completed"] == 1

    assert back_up(starter.data_dir, tmp_path / "backup").returncode == 0
    server.kill()
    shutil.rmtree(starter.data_dir)

    with start_server(tmp_path / "backup", scripted.url, RUNSTEAD_DRAIN_FOR="3") as back:
        there = Api(back.url)
        assert there.send("GET", f"/files/{file['id']}/content").body == content
        assert there.get(f"/vector_stores/{store}")["file_counts"]["completed"] == 1
        assert back.stop() == 0
    chunks = "SELECT count(*) FROM chunks"
    with closing(sqlite3.connect(tmp_path / "backup" / "search.db")) as index:
        assert index.execute(chunks).fetchone()[0] > 0


def test_an_upload_that_is_not_whole_is_left_out(starter: Starter, tmp_path: Path):
    starter().stop()
    folder = starter.data_dir / "files" / "of-this-database"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "file-whole").write_bytes(os.urandom(70_000))
    (folder / "file-half#1").write_bytes(b"still on its way")

    assert back_up(starter.data_dir, tmp_path / "backup").returncode == 0

    copied = tmp_path / "backup" / "files" / "of-this-database"
    assert [path.name for path in copied.iterdir()] == ["file-whole"]
    assert (copied / "file-whole").read_bytes() == (folder / "file-whole").read_bytes()


def test_a_backup_is_replaced_only_when_told_and_nothing_else_ever(starter: Starter, tmp_path: Path):
    starter().stop()
    destination, other = tmp_path / "backup", tmp_path / "other"
    other.mkdir()
    (other / "mine").write_text("mine")
    back_up(starter.data_dir, destination)
    first = (destination / "runstead.db").stat().st_ino

    assert "replace it with --force" in refusal(destination, data_dir=starter.data_dir)
    for arguments in ((other,), ("--force", other), ("--force", other / "mine")):
        assert "is no backup" in refusal(*arguments, data_dir=starter.data_dir)
    assert back_up(starter.data_dir, "--force", destination).returncode == 0

    assert (destination / "runstead.db").stat().st_ino != first
    assert (other / "mine").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "data", "other"]


def test_what_cannot_be_backed_up_is_said_and_leaves_nothing(starter: Starter, tmp_path: Path):
    assert "it is made when the server starts" in refusal(tmp_path / "backup", data_dir=starter.data_dir)
    assert "is not there; make it" in refusal(tmp_path / "no" / "backup", data_dir=starter.data_dir)
    said = refusal(tmp_path / "backup", data_dir=starter.data_dir, RUNSTEAD_DATABASE_URL="postgresql://u:secret@h/d")
    assert "pg_dump" in said
    assert "secret" not in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_disk_that_is_too_small_is_told_and_left_empty(starter: Starter, tmp_path: Path):
    starter().stop()
    (disk := tmp_path / "disk").mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        assert "full" in refusal(disk / "backup", data_dir=starter.data_dir)
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", disk], check=True)
