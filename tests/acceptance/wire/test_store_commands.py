"""`runstead files add`, `runstead search` and `runstead reindex`, as somebody at a terminal uses them."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.processes import environment, program
from tests.acceptance.wire.drama import Starter
from tests.acceptance.wire.embedding_server import EmbeddingServer, embedding_server
from tests.acceptance.wire.library import Shelf
from tests.acceptance.wire.talk import Api
from tests.contract.search import files


def runstead(*arguments: object, **variables: str) -> "subprocess.CompletedProcess[str]":
    command = [program("RUNSTEAD_BIN"), *map(str, arguments)]
    return subprocess.run(
        command, env=environment(**variables), capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Documents, one of them in a folder below, and something that nobody asked for."""
    made = tmp_path / "documents"
    (made / "more").mkdir(parents=True)
    (made / "light.md").write_text("# Light\n\nAda Quillfeather built the lighthouse.\n")
    (made / "more" / "grüße.txt").write_text("Ahoy, says the harbour master.")
    (made / 'so "called"\n.txt').write_text("A quoted pelican.")
    (made / ".hidden").write_text("not for you")
    return made


@pytest.fixture
def embeddings() -> Iterator[EmbeddingServer]:
    with embedding_server() as running:
        yield running


def test_a_folder_becomes_a_store_that_is_searched(api: Api, folder: Path):
    done = runstead("files", "add", folder, "--store", "By command", "--server", api.url)

    assert (done.returncode, done.stderr) == (0, "")
    assert "3 files can be searched in By command (vs_" in done.stdout
    [store] = [each for each in api.get("/vector_stores?limit=100")["data"] if each["name"] == "By command"]
    assert store["file_counts"]["completed"] == 3
    assert 'so "called"_.txt' in runstead("search", store["id"], "pelican", "--server", api.url).stdout

    found = runstead("search", "By command", "Who built the lighthouse?", "--server", api.url)
    assert found.returncode == 0
    first, text, *_ = found.stdout.splitlines()
    place, score, name, file = first.split()
    assert (place, name) == ("1.", "light.md")
    assert 0 < float(score) <= 1
    assert file.startswith("file-")
    assert text.strip() == "# Light Ada Quillfeather built the lighthouse."

    # The same name is the same store, and so is its id.
    again = runstead("files", "add", folder / "more" / "grüße.txt", "--store", store["id"], "--server", api.url)
    assert "1 file can be searched" in again.stdout
    by_id = runstead("search", store["id"], "harbour master", "--most", 1, "--server", api.url)
    assert "grüße.txt" in by_id.stdout
    assert runstead("search", "By command", "xylophone", "--server", api.url).stdout in ("Nothing fits.\n", "")


def test_what_cannot_be_read_is_said_file_by_file(api: Api, tmp_path: Path):
    for name, contents in {"good.txt": b"A lighthouse.", "bad.pdf": files.encrypted_pdf(), "empty.txt": b""}.items():
        (tmp_path / name).write_bytes(contents)

    done = runstead("files", "add", *sorted(tmp_path.glob("*.*")), "--store", "Mixed", "--server", api.url)

    assert done.returncode == 1
    assert "1 of 3 files can be searched in Mixed" in done.stdout
    bad, empty = done.stderr.splitlines()
    assert bad.startswith(f"failed  {tmp_path / 'bad.pdf'}: The file could not be parsed")
    assert empty.startswith(f"failed  {tmp_path / 'empty.txt'}: ")


def test_names_that_lead_nowhere_or_to_several_are_refused(api: Api, folder: Path):
    for _ in range(2):
        api.post("/vector_stores", {"name": "Twins"})
    for arguments, words in (
        (("search", "Nobody", "x"), "There is no vector store with the name or id 'Nobody'."),
        (("search", "Twins", "x"), "2 vector stores are called 'Twins'; say which by its id: vs_"),
        (("files", "add", folder, "--store", "vs_nobody"), "There is no vector store with the id 'vs_nobody'."),
    ):
        done = runstead(*arguments, "--server", api.url)
        assert done.returncode == 1
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_a_server_that_is_not_there_or_wants_a_key_is_told_of(starter: Starter, folder: Path):
    server = starter(RUNSTEAD_API_KEYS="sk-right,sk-other")
    arguments = ("files", "add", folder, "--store", "Keyed", "--server", server.url)
    refused = runstead(*arguments, "--key", "sk-wrong")
    assert refused.returncode == 1
    assert "Incorrect API key" in refused.stderr
    assert runstead(*arguments, "--key", "sk-other").returncode == 0
    # A server's own settings hold its keys.
    assert runstead(*arguments, RUNSTEAD_API_KEYS="sk-right").returncode == 0

    server.stop()
    gone = runstead("search", "Keyed", "x", "--server", server.url)
    assert gone.returncode == 1
    assert f"{server.url} does not answer" in gone.stderr


def test_files_are_read_again_when_the_embedding_model_changes(starter: Starter, embeddings: EmbeddingServer):
    variables = {"RUNSTEAD_DATA_DIR": str(starter.data_dir)}
    shelf = Shelf.open(Api(starter().url))
    ids = [shelf.add(b"Lighthouse number %d." % i, attributes={"n": i}) for i in range(5)]
    for id in ids:
        assert shelf.ended(id)["status"] == "completed"

    served = runstead("reindex", **variables)
    assert served.returncode == 1
    assert "already serves it; stop that one" in served.stderr

    starter.running.stop()
    todo = variables | embeddings.settings()
    embeddings.is_down = True
    down = runstead("reindex", **todo)
    assert down.returncode == 1
    assert "Traceback" not in down.stderr
    embeddings.is_down = False
    assert runstead("reindex", **todo).stdout.splitlines()[-1] == "5 files read again."
    assert len(embeddings.asked) >= 5
    assert runstead("reindex", **todo).stdout.splitlines()[-1] == "0 files read again."
    # Another model, and one file that cannot be read any more.
    (contents,) = starter.data_dir.glob(f"files/*/{ids[0]}")
    contents.unlink()
    other = runstead("reindex", **variables, **embeddings.settings("letters-2"))
    assert other.returncode == 1
    assert other.stdout.splitlines()[-1] == "4 files read again."
    assert f"failed  {shelf.id} {ids[0]}: " in other.stderr

    shelf = shelf.at(Api(starter(**embeddings.settings("letters-2")).url))
    assert set(shelf.found("number lighthouse")) == set(ids)
    assert shelf.found("lighthouse", filters={"type": "eq", "key": "n", "value": 3}) == [ids[3]]
    assert shelf.file(ids[3])["status"] == "completed"


def test_an_embedding_server_that_is_down_is_waited_for(starter: Starter, embeddings: EmbeddingServer):
    embeddings.is_down = True
    shelf = Shelf.open(Api(starter(**embeddings.settings()).url))
    id = shelf.add(b"A lighthouse.")
    # Asked in vain, it stays in progress until it is there.
    assert shelf.file(id)["status"] == "in_progress"
    embeddings.is_down = False
    assert shelf.ended(id)["status"] == "completed"
    assert shelf.found("A lighthouse.") == [id]
    # Down again, words still lead there.
    embeddings.is_down = True
    assert shelf.found("lighthouse") == [id]
