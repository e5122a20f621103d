"""Where contents lie, looked at without making anything."""

from pathlib import Path

import pytest

from runstead.blobs.opening import UnusableContents, inspect_contents
from tests.contract.blobs.s3_server import BUCKET


async def test_a_folder_is_looked_at_and_not_made(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"

    assert await inspect_contents(folder.as_uri()) == f"in {folder}, made when the server starts"
    assert not folder.parent.exists()

    folder.mkdir(parents=True)
    assert await inspect_contents(folder.as_uri()) == f"in {folder}"


async def test_what_cannot_be_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")

    with pytest.raises(UnusableContents, match="taken/b cannot be used: it cannot be written"):
        await inspect_contents((tmp_path / "taken" / "b").as_uri())


async def test_a_bucket_is_asked(s3, monkeypatch) -> None:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)

    assert await inspect_contents(f"s3://{BUCKET}/x") == f"s3://{BUCKET}/x answers"
    with pytest.raises(UnusableContents, match="check bucket"):
        await inspect_contents("s3://nobucket")
