"""`runstead doctor` finds what is wrong and says what to do; it writes nothing."""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from runstead import app, cli, doctor, settings
from runstead.domain.errors import EmbeddingFailed, ModelFailed
from runstead.ports import IndexedFile
from runstead.search.sqlite_index import SqliteIndex
from runstead.store.postgres_inspection import ServerState
from runstead.store.sqlite import SqliteStore


class AnsweringModel:
    async def check(self) -> str:
        return "a model answers"

    async def close(self) -> None:
        pass


class BrokenModel(AnsweringModel):
    async def check(self) -> str:
        raise ModelFailed("server_error", "The model server cannot be reached.")


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A healthy one: an empty data folder and a model that answers."""
    monkeypatch.setattr(app, "open_model", lambda chosen: AnsweringModel())
    for name in [name for name in os.environ if name.startswith("RUNSTEAD_")]:
        monkeypatch.delenv(name)
    return {"RUNSTEAD_DATA_DIR": str(tmp_path), "RUNSTEAD_MODEL_URL": "http://127.0.0.1:9/v1"}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database as this release makes it, served by nobody."""
    path = tmp_path / "runstead.db"

    async def make() -> None:
        await (await SqliteStore.open_file(path, app.SystemClock())).close()

    asyncio.run(make())
    return path


@pytest.fixture
def lock(database: Path) -> Iterator[None]:
    """The database's lock, held as a server holds it."""
    descriptor = os.open(f"{database}.lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield
    os.close(descriptor)


def found(environment: dict[str, str], subject: str) -> doctor.Finding:
    return next(finding for finding in doctor.examine(environment) if finding.subject == subject)


def test_contents_of_files_are_looked_for(environment, tmp_path):
    assert found(environment, "files").words == f"in {tmp_path / 'files'}, made when the server starts"

    taken = tmp_path / "taken"
    taken.write_text("")
    refused = found(environment | {"RUNSTEAD_BLOBS_URL": (taken / "files").as_uri()}, "files")
    assert (refused.is_ok, "it cannot be written" in refused.words) == (False, True)


def test_a_healthy_setup_has_nothing_to_be_done(environment):
    assert [finding for finding in doctor.examine(environment) if not finding.is_ok] == []


def test_it_writes_nothing(environment, tmp_path):
    list(doctor.examine(environment))

    assert list(tmp_path.iterdir()) == []


def test_a_setting_that_cannot_be_read_is_named_and_ends_the_examination(environment):
    findings = list(doctor.examine(environment | {"RUNSTEAD_MAX_RUNS": "many"}))

    assert len(findings) == 1
    assert not findings[0].is_ok
    assert "RUNSTEAD_MAX_RUNS='many'" in findings[0].words


def test_a_misspelt_setting_is_told_the_right_name(environment):
    finding = found(environment | {"RUNSTEAD_MODLE_URL": "http://x/v1"}, "settings")

    assert "RUNSTEAD_MODLE_URL" in finding.words
    assert "RUNSTEAD_MODEL_URL" in (finding.remedy or "")


def test_a_variable_like_none_of_ours_is_no_failure(environment):
    finding = found(environment | {"RUNSTEAD_ZZZ": "1"}, "settings")

    assert finding.is_ok
    assert "RUNSTEAD_ZZZ" in finding.words


def test_a_database_tells_its_schema(environment, database):
    finding = found(environment, "store")

    assert finding.is_ok
    assert f"schema {app.inspect_store(database).known}" in finding.words


def test_a_database_that_is_being_served_is_fine_and_said_so(environment, lock):
    finding = found(environment, "store")

    assert finding.is_ok
    assert f"served by process {os.getpid()}" in finding.words


def test_a_database_of_a_newer_release_is_a_failure(environment, database):
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT INTO migrations (version, name) VALUES (9999, 'later')")
    connection.close()

    finding = found(environment, "store")

    assert "9999" in finding.words
    assert "newer release" in (finding.remedy or "")


def test_a_newer_release_that_left_room_for_this_one_is_none(environment, database):
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT INTO migrations (version, name) VALUES (9998, '9998_more.sql')")
    connection.close()

    finding = found(environment, "store")

    assert finding.is_ok
    assert "schema 9998, of a later release" in finding.words


def test_a_file_that_is_no_database_is_a_failure(environment, tmp_path):
    (tmp_path / "runstead.db").write_bytes(b"certainly not a database" * 100)

    assert not found(environment, "store").is_ok


def test_a_data_folder_that_is_a_file_is_a_failure(environment, tmp_path):
    (tmp_path / "file").write_text("in the way")

    assert not found(environment | {"RUNSTEAD_DATA_DIR": str(tmp_path / "file")}, "data folder").is_ok


def test_a_full_disk_is_a_failure(environment, monkeypatch):
    monkeypatch.setattr(doctor, "ENOUGH_DISK", 2**80)

    assert not found(environment, "disk").is_ok


def test_a_model_that_does_not_answer_is_a_failure_with_its_words(environment, monkeypatch):
    monkeypatch.setattr(app, "open_model", lambda chosen: BrokenModel())

    finding = found(environment, "model")

    assert finding.words == "The model server cannot be reached"
    assert not finding.is_ok


def test_a_missing_embedded_model_has_two_ways_out(environment, monkeypatch):
    monkeypatch.setattr(
        app, "what_model_is_missing", lambda chosen: "The weights are missing. Run runstead model prepare; or set X."
    )

    finding = found(environment, "model")

    assert finding.words == "The weights are missing"
    assert finding.remedy == "Run runstead model prepare; or set X."


def test_settings_are_shown_without_their_secrets():
    secret = {entry.name: "sk-secret" for entry in settings.ENTRIES if entry.is_secret}
    shown = dict(doctor.shown_settings(secret | {"RUNSTEAD_MODEL_URL": "https://me:sk-secret@host/v1"}))

    assert set(shown) == {entry.name for entry in settings.ENTRIES}
    assert not any("sk-secret" in value for value in shown.values())
    assert "host/v1" in shown["RUNSTEAD_MODEL_URL"]


@pytest.mark.parametrize(("max_runs", "status"), [("10", 0), ("many", 1)])
def test_the_command_prints_a_line_for_each_and_ends_with_1_if_one_fails(environment, max_runs, status):
    result = CliRunner().invoke(cli.main, ["doctor"], env=environment | {"RUNSTEAD_MAX_RUNS": max_runs})

    assert result.exit_code == status
    lines = [line for line in result.output.splitlines() if line.startswith(("ok", "fail"))]
    assert any(line.startswith("fail") for line in lines) is bool(status)
    assert lines


def test_search_by_words_alone_is_said_and_no_fault(environment, monkeypatch):
    monkeypatch.setattr(app, "what_search_is_missing", lambda chosen: "Files are searched by their words alone.")

    finding = found(environment, "search")

    assert (finding.is_ok, finding.words) == (True, "Files are searched by their words alone")


def test_embeddings_that_cannot_be_had_are_a_fault(environment, monkeypatch):
    class BrokenEmbedder(AnsweringModel):
        async def check(self) -> str:
            raise EmbeddingFailed("http://127.0.0.1:9/v1/embeddings does not answer.")

    monkeypatch.setattr(app, "what_search_is_missing", lambda chosen: None)
    monkeypatch.setattr(app, "open_embedder", lambda chosen: AnsweringModel())
    assert found(environment, "search").is_ok

    monkeypatch.setattr(app, "open_embedder", lambda chosen: BrokenEmbedder())
    finding = found(environment, "search")
    assert "does not answer" in finding.words
    assert "RUNSTEAD_EMBEDDINGS_" in (finding.remedy or "")


EMBEDDINGS = {"RUNSTEAD_EMBEDDINGS_URL": "http://127.0.0.1:9/v1", "RUNSTEAD_EMBEDDINGS_MODEL": "letters"}


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """An index of three files, of three embeddings."""

    async def fill() -> None:
        index = await SqliteIndex.open(tmp_path / "search.db", cache_bytes=0)
        for embedding in ("letters", "others", None):
            file = IndexedFile(
                store_id="vs_a", file_id=f"file-{embedding}", attributes={}, embedding=embedding, passages=[]
            )
            await index.put(file)
        await index.close()

    asyncio.run(fill())
    return tmp_path / "search.db"


@pytest.mark.usefixtures("index")
def test_files_with_vectors_of_another_model_are_counted(environment):
    finding = found(environment | EMBEDDINGS, "index")

    assert finding.words.startswith("3 files of vector stores; 2 of them without vectors of letters")
    assert (finding.mark, finding.remedy) == ("warn", "Run runstead reindex.")


@pytest.mark.usefixtures("index")
def test_without_an_embedding_model_no_file_is_behind(environment, monkeypatch):
    monkeypatch.setattr(app, "open_embedder", lambda chosen: None)

    finding = found(environment, "index")

    assert (finding.mark, finding.words) == ("ok", "3 files of vector stores")


def test_an_index_that_is_not_there_or_of_another_release_is_made(environment, index):
    def release(version: int) -> None:
        with closing(sqlite3.connect(index)) as connection:
            connection.execute(f"PRAGMA user_version = {version}")

    release(999)
    assert found(environment, "index").words == "made when the server starts"
    index.unlink()
    assert found(environment, "index").words == "made when the server starts"
    assert not index.exists()


def test_an_index_that_cannot_be_read_is_a_fault(environment, index):
    index.write_bytes(b"no database at all " * 1000)

    finding = found(environment, "index")

    assert (finding.mark, finding.words) == ("fail", f"The search index {index} cannot be read: file is not a database")


SEVERAL = {"RUNSTEAD_DATABASE_URL": "postgresql://h/d", "RUNSTEAD_NATS_URL": "nats://127.0.0.1:9"}


@pytest.mark.parametrize(("has_pgvector", "mark"), [(True, "ok"), (False, "warn")])
def test_a_missing_pgvector_is_warned_of(environment, monkeypatch, has_pgvector, mark):
    async def inspect(_: object) -> ServerState:
        return ServerState("postgresql://h/d", "15.3", 3, 3, True, True, True, has_pgvector)

    monkeypatch.setattr(app, "inspect_server", inspect)

    finding = found(environment | SEVERAL, "store")

    assert (finding.mark, finding.is_ok) == (mark, True)
    assert ("pgvector" in finding.words, "pgvector" in (finding.remedy or "")) == (not has_pgvector, not has_pgvector)


def test_a_folder_for_the_files_of_several_nodes_is_warned_of(environment):
    finding = found(environment | SEVERAL, "files")

    assert (finding.mark, finding.is_ok) == ("warn", True)
    assert "RUNSTEAD_BLOBS_URL" in (finding.remedy or "")
