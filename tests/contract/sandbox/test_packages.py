"""The packages that code may import: how they are fetched, and that real data work succeeds with them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec import structs
from structlog.testing import capture_logs

from runstead.sandbox import environment, interpreter, pip
from runstead.sandbox.environment import Environment, Manifest, PackagesUnavailable
from runstead.sandbox.interpreter import Interpreter
from runstead.sandbox.machine import Machine
from runstead.sandbox.sessions import Sessions
from tests.contract.sandbox.asking import Asked, contents, file, until
from tests.contract.sandbox.conftest import LIMITS, local, require


@pytest.fixture
async def python() -> Interpreter:
    return await interpreter.find()


@pytest.fixture
def fetched(monkeypatch) -> list[list[str]]:
    """What pip is asked for; it brings one small package."""
    asked: list[list[str]] = []

    def install(target: Path, chosen: Interpreter, what: list[str], progress) -> None:
        asked.append(what)
        (target / "small-1.2.dist-info").mkdir(parents=True, exist_ok=True)
        (target / "small-1.2.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: Small\nVersion: 1.2\n")
        (target / "small.py").write_text("answer = 42\n")
        (target / "small.py").chmod(0o600)

    monkeypatch.setattr(pip, "install", install)
    return asked


def test_they_are_fetched_once(tmp_path, python, fetched):
    said: list[str] = []

    first = environment.prepare(tmp_path, python, None, said.append)
    second = environment.prepare(tmp_path, python, None, said.append)

    assert len(fetched) == 1
    assert "--require-hashes" in fetched[0]
    assert first == second == environment.find(tmp_path)
    assert first.describe() == "small"
    assert "are there" in said[-1]
    assert (first.folder / "small.py").stat().st_mode & 0o777 == 0o644
    assert [path.name for path in first.folder.parent.iterdir()] == ["packages"]


def test_another_python_or_list_means_another_fetch(tmp_path, python, fetched):
    extra = tmp_path / "extra.txt"
    extra.write_text("polars\n")
    environment.prepare(tmp_path, python, None, lambda _: None)

    environment.prepare(tmp_path, python, extra, lambda _: None)
    assert len(fetched) == 3
    assert fetched[-1][-2:] == ["--requirement", str(extra)]
    assert fetched[-1][0] == "--constraint"

    environment.prepare(tmp_path, structs.replace(python, version="3.99.1"), extra, lambda _: None)
    assert len(fetched) == 5
    found = environment.find(tmp_path)
    assert found is not None
    assert found.series == "3.99"


def test_a_broken_download_leaves_what_was(tmp_path, python, fetched, monkeypatch):
    was = environment.prepare(tmp_path, python, None, lambda _: None)

    def broken(*_: object) -> None:
        raise pip.Failed("pip could not fetch the packages: no route.")

    monkeypatch.setattr(pip, "install", broken)
    extra = tmp_path / "extra.txt"
    extra.write_text("polars\n")
    with pytest.raises(PackagesUnavailable, match="no route"):
        environment.prepare(tmp_path, python, extra, lambda _: None)

    assert environment.find(tmp_path) == was
    assert [path.name for path in was.folder.parent.iterdir()] == ["packages"]


def test_a_list_that_is_not_there_is_named(tmp_path, python, fetched):
    with pytest.raises(PackagesUnavailable, match="No such file"):
        environment.prepare(tmp_path, python, tmp_path / "absent.txt", lambda _: None)


def test_a_folder_that_takes_nothing_is_named(tmp_path, python, fetched):
    (tmp_path / "sandbox").write_text("a file")

    with pytest.raises(PackagesUnavailable, match="RUNSTEAD_DATA_DIR"):
        environment.prepare(tmp_path, python, None, lambda _: None)


@pytest.mark.parametrize("manifest", [b"", b"{}", b"[1]", b'{"series":3}'])
def test_a_folder_of_something_else_is_none(tmp_path, manifest):
    folder = environment.home(tmp_path)
    folder.mkdir(parents=True)
    (folder / environment.MANIFEST).write_bytes(manifest)

    assert environment.find(tmp_path) is None


def test_without_a_registry_the_command_says_so(tmp_path):
    command = [sys.executable, "-m", "runstead", "sandbox", "prepare"]
    clean = {"PATH": os.environ["PATH"], "RUNSTEAD_DATA_DIR": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
    clean |= {
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_RETRIES": "0",
        "PIP_TIMEOUT": "2",
        "HOME": str(tmp_path),
    }

    done = subprocess.run(command, env=clean, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 1
    assert "pip could not fetch the packages" in done.stderr
    assert "Is a package registry reachable" in done.stderr
    assert "Traceback" not in done.stderr
    assert environment.find(tmp_path) is None


def test_the_lock_names_hashes_and_no_registry():
    lines = environment.LOCK.read_text(encoding="utf-8")

    assert "://" not in lines
    assert all(line.endswith("\\") for line in lines.splitlines() if line and line[0] not in "# ")
    assert lines.count("--hash=sha256:") > 100


async def test_packages_for_another_python_are_refused(tmp_path):
    await require("bubblewrap")
    other = Environment(tmp_path, Manifest("3.7", "", {}))
    sessions = Sessions(local("bubblewrap", LIMITS, Machine(environment=other)), LIMITS)

    try:
        with pytest.raises(Exception, match=r"prepared for Python 3\.7 and code runs in"):
            await Asked(sessions)("1")
    finally:
        await sessions.close()


async def test_what_is_installed_for_the_server_is_not_seen(tmp_path):
    await require("bubblewrap")
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "small.py").write_text("answer = 42\n")
    for path in (tmp_path, folder):
        path.chmod(0o755)
    series = ".".join(map(str, sys.version_info[:2]))
    place = Machine(environment=Environment(folder, Manifest(series, "", {"small": "1.2"})))
    sessions = Sessions(local("bubblewrap", LIMITS, place), LIMITS)
    asked = Asked(sessions)

    try:
        assert "with small" in await sessions.describe()
        assert (await asked("import small; small.answer")).logs == "42\n"
        for name in ("runstead", "msgspec", "starlette", "pip", "pytest"):
            assert "ModuleNotFoundError" in (await asked(f"import {name}")).logs
        child = (
            "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import small; print(small.answer)']); None"
        )
        assert (await asked(child)).logs == "42\n"
    finally:
        await sessions.close()


@pytest.fixture
async def data_work():
    """A sandbox with the real packages, and one session that is warm."""
    await require("bubblewrap")
    prepared = os.environ.get("RUNSTEAD_TEST_PACKAGES")
    found = environment.find(Path(prepared)) if prepared else None
    if found is None:
        pytest.skip("RUNSTEAD_TEST_PACKAGES names no folder with packages; scripts/test makes one")
    limits = structs.replace(LIMITS, memory=512 * 2**20, warm=1)
    sessions = Sessions(local("bubblewrap", limits, Machine(environment=found)), limits)
    with capture_logs() as logged:
        sessions.start()
        await until(lambda: sessions.warm == 1, 120)
    # What is done in advance is done without a complaint of any package's.
    assert [line["event"] for line in logged if line["log_level"] == "warning"] == []
    yield Asked(sessions)
    await sessions.close()


async def test_a_table_becomes_a_plot_and_a_clean_file(data_work):
    outcome = await data_work(
        """
        import matplotlib.pyplot as plt
        import pandas as pd
        table = pd.read_csv("/mnt/data/sales.csv").dropna()
        table.plot(x="month", y="sales", title="Sales")
        plt.show()
        print("shown")
        table.to_excel("/mnt/data/clean.xlsx", index=False)
        plt.figure(); plt.plot([1, 2, 3])
        table.describe().loc["mean", "sales"].item()
        """,
        file("sales.csv", b"month,sales\n1,10\n2,\n3,30\n"),
    )

    images = await contents(outcome.images)
    assert (outcome.is_error, outcome.notice) == (False, None)
    assert outcome.logs == "shown\n20.0\n"
    assert list(images) == ["image-1.png", "image-2.png"]
    assert all(data.startswith(b"\x89PNG") for data in images.values())
    assert [one.name for one in outcome.files] == ["clean.xlsx"]


async def test_every_package_can_be_imported(data_work):
    modules = "bs4 lxml matplotlib networkx numpy openpyxl pandas PIL pypdf docx yaml sklearn scipy seaborn sympy tabulate xlsxwriter"

    outcome = await data_work("\n".join(f"import {name}" for name in modules.split()), timeout=120)

    assert (outcome.logs, outcome.is_error) == ("", False)
