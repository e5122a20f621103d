"""The whole server over a bucket: files go there and come back, and two nodes' databases do not meet in it."""

import os
from collections.abc import Iterator

import pytest

from tests.acceptance.processes import DidNotStart
from tests.acceptance.wire.drama import Starter
from tests.acceptance.wire.forms import upload
from tests.acceptance.wire.talk import Api
from tests.contract.blobs.s3_server import BUCKET, S3Server


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with S3Server() as running:
        yield running


def in_bucket(starter: Starter, s3: S3Server) -> Api:
    url = f"s3://{BUCKET}/{starter.data_dir.parent.name}"
    return Api(starter(RUNSTEAD_BLOBS_URL=url, **s3.environment).url)


def test_files_lie_in_the_bucket(starter: Starter, s3: S3Server):
    api = in_bucket(starter, s3)
    contents = {size: os.urandom(size) for size in (0, 10, 20 * 2**20)}
    files = {upload(api, data): data for data in contents.values()}

    for id, data in files.items():
        assert api.send("GET", f"/files/{id}/content").body == data
    large = next(id for id, data in files.items() if len(data) > 10)
    part = api.send("GET", f"/files/{large}/content", range="bytes=-7")
    assert (part.status, part.body) == (206, files[large][-7:])

    starter.running.kill()
    api = in_bucket(starter, s3)
    assert api.send("GET", f"/files/{large}/content").body == files[large]

    assert api.delete(f"/files/{large}")["deleted"]
    assert api.send("GET", f"/files/{large}/content").status == 404
    assert not (starter.data_dir / "files").exists()


def test_a_bucket_that_is_out_of_reach_fails_uploads_and_nothing_else(starter: Starter):
    with S3Server() as s3:
        api = in_bucket(starter, s3)
        file = upload(api, b"x")

    refused = api.send("GET", f"/files/{file}/content")
    assert refused.status == 503
    assert refused.headers["retry-after"]
    with pytest.raises(AssertionError, match="status=503"):
        upload(api, b"y")
    assert [each["id"] for each in api.get("/files")["data"]] == [file]
    assert api.post("/threads")["object"] == "thread"


def test_a_bucket_that_is_not_there_ends_the_start_with_a_reason(starter: Starter, s3: S3Server):
    with pytest.raises(DidNotStart, match=r"s3://nobucket cannot be used: .*check bucket"):
        starter(RUNSTEAD_BLOBS_URL="s3://nobucket", **s3.environment)
