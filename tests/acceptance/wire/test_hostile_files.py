"""Files that are made to do harm, or are not what they say: each ends with a sentence, and the server does not feel it."""

from pathlib import Path

import pytest

from tests.acceptance.processes import Server
from tests.acceptance.wire.drama import Starter
from tests.acceptance.wire.library import Shelf
from tests.acceptance.wire.talk import Api
from tests.contract.search import files

MIB = 2**20
MEMORY = 300 * MIB
"""What the server and each of its children may take; a bomb that goes off takes a gigabyte."""

HOSTILE = {
    "corrupt.pdf": (files.pdf("Ships.")[:200], "invalid_file"),
    "encrypted.pdf": (files.encrypted_pdf(), "invalid_file"),
    "empty.txt": (b"", "invalid_file"),
    "blank.txt": (b" \n" * 100, "invalid_file"),
    "scanned.pdf": (files.pdf("", ""), "invalid_file"),
    "picture.txt": (files.png(), "unsupported_file"),
    "picture.pdf": (files.png(), "unsupported_file"),
    "cut.docx": (files.docx(files.SENTENCE)[:900], "invalid_file"),
    "archive.docx": (files.archive({"readme.txt": "no document"}), "unsupported_file"),
    "old.doc": (files.compound("WordDocument"), "unsupported_file"),
    "locked.xlsx": (files.compound("EncryptedPackage"), "invalid_file"),
    "bomb.docx": (files.bomb(1024), "invalid_file"),
    "lying-bomb.docx": (files.lying_bomb(1024), "invalid_file"),
    "binary.txt": (bytes(range(256)) * 100, "unsupported_file"),
}


@pytest.fixture(scope="module")
def shelf(server: Server) -> Shelf:
    return Shelf.open(Api(server.url))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_fails_with_a_sentence(shelf: Shelf, server: Server, name: str):
    contents, code = HOSTILE[name]
    file = shelf.ended(shelf.add(contents, name.encode()))
    assert file["status"] == "failed", file
    assert file["last_error"]["code"] == code, file["last_error"]
    message = file["last_error"]["message"]
    assert message.endswith(".")
    assert len(message) < 300
    assert "Traceback" not in message
    assert str(Path.home()) not in message
    assert peak_memory(server.process.pid) < MEMORY


def test_what_is_only_mislabelled_is_read_all_the_same(shelf: Shelf):
    for name, contents in {
        b"really-a-pdf.txt": files.pdf("The pelican lands."),
        b"really-text.pdf": b"The pelican lands.",
        b"no-name-at-all": files.docx("The pelican lands."),
    }.items():
        id = shelf.add(contents, name)
        assert shelf.ended(id)["status"] == "completed", name
        assert id in shelf.found("pelican")


def test_bombs_do_not_keep_others_from_being_read(starter: Starter):
    server = starter()
    shelf = Shelf.open(Api(server.url))
    bombs = [shelf.add(files.bomb(1024), b"bomb.docx") for _ in range(4)]
    good = shelf.add(b"The lighthouse stands.")
    assert shelf.ended(good)["status"] == "completed"
    assert {shelf.ended(bomb)["status"] for bomb in bombs} == {"failed"}
    assert shelf.found("lighthouse") == [good]
    assert (shelf.counts["failed"], shelf.counts["completed"]) == (4, 1)
    assert peak_memory(server.process.pid) < MEMORY
    assert server.complaints == []


def peak_memory(pid: int) -> int:
    """The most that a process ever had in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    [peak] = [line for line in lines if line.startswith("VmHWM:")]
    return int(peak.split()[1]) * 1024
