from collections.abc import Iterator
from pathlib import Path

import pytest

from runstead.blobs.opening import open_contents
from runstead.ports import Blobs
from tests.contract.blobs.s3_server import BUCKET, S3Server


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    with S3Server() as running:
        yield running


@pytest.fixture(params=["local", "s3"])
async def blobs(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Blobs:
    if request.param == "local":
        return await open_contents(tmp_path.as_uri(), "db")
    server: S3Server = request.getfixturevalue("s3")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    # A prefix of its own in place of a bucket that would have to be emptied.
    return await open_contents(f"s3://{BUCKET}/some/{tmp_path.name}", "db")


@pytest.fixture
async def s3_gone(monkeypatch: pytest.MonkeyPatch) -> Blobs:
    """Contents in a bucket whose server has ended since."""
    with S3Server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        return await open_contents(f"s3://{BUCKET}", "db")
