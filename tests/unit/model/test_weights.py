import msgspec
import pytest

from runstead.model import weights
from runstead.model.weights import what_is_missing


@pytest.mark.parametrize(
    ("runtime", "there", "named"),
    [
        (False, False, ["pip install 'runstead[local]'", "runstead model prepare", "RUNSTEAD_MODEL_URL"]),
        (True, False, ["runstead model prepare", "RUNSTEAD_MODEL_URL"]),
        (False, True, ["pip install 'runstead[local]'", "RUNSTEAD_MODEL_URL"]),
    ],
)
def test_what_is_missing_is_told_with_the_ways_out(monkeypatch, tmp_path, runtime, there, named):
    small = msgspec.structs.replace(weights.FILE, package="a_package_nobody_has_installed", size=1)
    monkeypatch.setattr(weights, "FILE", small)
    monkeypatch.setattr(weights, "find_spec", lambda name: object() if runtime and name == weights.RUNTIME else None)
    if there:
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / small.kept_as).write_bytes(b"x")

    missing = what_is_missing(tmp_path)

    assert missing is not None
    assert all(way in missing for way in named)
