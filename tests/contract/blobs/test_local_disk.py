"""What is peculiar to a folder: leftovers of a process that died, and what cannot be a folder."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runstead.blobs.opening import UnusableContents, open_contents
from runstead.domain.errors import Unavailable


async def one(piece: bytes) -> AsyncIterator[bytes]:
    yield piece


async def test_leftovers_of_a_dead_process_are_cleared_once_they_are_old(tmp_path: Path) -> None:
    blobs = await open_contents(tmp_path.as_uri(), "db")
    old, young = tmp_path / "db" / "file-a#1", tmp_path / "db" / "file-b#1"
    for leftover in (old, young):
        leftover.write_bytes(b"half")
    an_hour_ago = old.stat().st_mtime - 3600
    os.utime(old, (an_hour_ago, an_hour_ago))

    await blobs.clear_unfinished(untouched_for=1800)

    assert [path.name for path in (tmp_path / "db").iterdir()] == ["file-b#1"]


async def test_leftovers_are_no_contents(tmp_path: Path) -> None:
    blobs = await open_contents(tmp_path.as_uri(), "db")
    (tmp_path / "db" / "file-a#1").write_bytes(b"half")

    assert [some async for some in blobs.ids()] == []


async def test_a_folder_with_spaces_is_one(tmp_path: Path) -> None:
    blobs = await open_contents((tmp_path / "my files").as_uri(), "db")
    await blobs.put("file-a", one(b"x"))

    assert (tmp_path / "my files" / "db" / "file-a").read_bytes() == b"x"


async def test_what_cannot_be_a_folder_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")

    with pytest.raises(UnusableContents, match=r"taken/db cannot be used: Not a directory\."):
        await open_contents((tmp_path / "taken").as_uri(), "db")


async def test_a_folder_that_vanished_is_unavailable(tmp_path: Path) -> None:
    blobs = await open_contents(tmp_path.as_uri(), "db")
    (tmp_path / "db").rmdir()
    tmp_path.joinpath("db").write_text("")

    with pytest.raises(Unavailable):
        await blobs.put("file-a", one(b"x"))


async def test_a_bucket_that_is_not_there_is_refused_at_the_start(s3, monkeypatch) -> None:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(UnusableContents, match="s3://nobucket cannot be used"):
        await open_contents("s3://nobucket", "db")
