"""The server killed around uploads and deletions: no file without its contents, no contents without their file."""

import http.client
import os
import random
import threading
from pathlib import Path

from tests.acceptance.waiting import eventually
from tests.acceptance.wire.drama import Starter
from tests.acceptance.wire.forms import PURPOSE, TYPE, form, part, upload
from tests.acceptance.wire.talk import Api, Raw, request

MIB = 2**20
SEED = int(os.environ.get("RUNSTEAD_TEST_SEED", "7"))


def kept(data_dir: Path) -> set[str]:
    """What lies in the folder of contents, unfinished uploads included."""
    return {path.name for path in data_dir.glob("files/*/*")}


def restarted(starter: Starter) -> Api:
    starter.running.kill()
    return Api(starter().url)


def test_an_acknowledged_file_is_there_after_a_kill(starter: Starter):
    contents = os.urandom(10 * MIB)
    file = upload(Api(starter().url), contents)

    api = restarted(starter)

    assert api.send("GET", f"/files/{file}/content").body == contents


def test_a_deleted_file_and_its_contents_are_gone_after_a_kill(starter: Starter):
    api = Api(starter().url)
    file = upload(api, b"x")
    api.delete(f"/files/{file}")

    api = restarted(starter)

    assert api.send("GET", f"/files/{file}").status == 404
    assert kept(starter.data_dir) == set()


def test_an_upload_that_was_killed_leaves_nothing(starter: Starter):
    server = starter()
    body = form(PURPOSE, part(b"file", bytes(20 * MIB), filename=b"a"))
    with Raw(server.url) as raw:
        raw.send(request(b"POST", b"/v1/files", b"", TYPE, b"Content-Length: %d" % len(body)) + body[: 12 * MIB])
        eventually(lambda: kept(starter.data_dir))

        api = restarted(starter)

    assert kept(starter.data_dir) == set()
    assert api.get("/files")["data"] == []


def test_contents_whose_row_was_never_written_are_removed_at_the_start(starter: Starter):
    """What a kill between an upload's last byte and its row leaves behind."""
    file = upload(Api(starter().url), b"kept")
    (contents,) = starter.data_dir.glob("files/*/*")
    (contents.parent / "file-orphan").write_bytes(b"lost")

    api = restarted(starter)

    assert kept(starter.data_dir) == {file}
    assert api.send("GET", f"/files/{file}/content").body == b"kept"


def test_contents_of_another_database_are_left_alone(starter: Starter):
    upload(Api(starter().url), b"x")
    (contents,) = starter.data_dir.glob("files/*/*")
    stranger = contents.parent.parent / "0123456789abcdef" / "file-of-another"
    stranger.parent.mkdir()
    stranger.write_bytes(b"theirs")

    restarted(starter)

    assert stranger.read_bytes() == b"theirs"


def test_killed_at_any_moment_rows_and_contents_agree(starter: Starter):
    chance = random.Random(SEED)
    contents = {size: random.Random(size).randbytes(size) for size in (0, 10, 100_000, 9 * MIB)}
    told: dict[str, int] = {}
    for _ in range(6):
        url = starter().url
        threads = [
            threading.Thread(target=_upload_and_delete, args=(Api(url), contents, told, chance.randrange(2**32)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        # A fact to wait for, and a different one each time: so many answers.
        enough = len(told) + chance.randrange(1, 12)
        eventually(lambda: len(told), enough.__le__)
        starter.running.kill()
        for thread in threads:
            thread.join()

        api = Api(starter().url)
        listed = {file["id"]: file["bytes"] for file in api.get("/files")["data"]}
        assert kept(starter.data_dir) == set(listed)
        for id, size in listed.items():
            assert api.send("GET", f"/files/{id}/content").body == contents[size]
        # What was told is stored; of what was being deleted nobody said anything.
        missing = {id for id, size in told.items() if size >= 0} - set(listed)
        assert missing == set()
        starter.running.kill()


def _upload_and_delete(api: Api, contents: dict[int, bytes], told: dict[str, int], seed: int) -> None:
    """Until the server is gone. `told` has what was acknowledged: -1 for what may be deleted."""
    chance = random.Random(seed)
    try:
        while True:
            size = chance.choice(list(contents))
            id = upload(api, contents[size])
            told[id] = size
            if chance.random() < 0.3:
                told[id] = -1
                api.send("DELETE", f"/files/{id}")
    except (OSError, http.client.HTTPException, ValueError, AssertionError):
        # Refused, reset, or cut off in the middle of an answer: the server was killed.
        return
