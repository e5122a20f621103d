"""Files of several nodes: taken by one, read by another, found on a third; and contents that lie where others do not look."""

from tests.acceptance.cluster.conftest import Cluster
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.forms import upload
from tests.acceptance.wire.talk import Api
from tests.contract.blobs.s3_server import BUCKET, S3Server

TEXT = b"The lighthouse keeper feeds the gulls at seven."


def test_files_are_taken_by_one_node_read_by_another_and_found_on_every_one(cluster: Cluster):
    shared = {"RUNSTEAD_BLOBS_URL": (cluster.folder / "shared").as_uri()}
    here, there = (Api(cluster.node("--role", "api", **shared).url) for _ in range(2))
    file = upload(here, TEXT, b"gulls.txt")
    shelf = f"/vector_stores/{here.post('/vector_stores', {})['id']}"
    here.post(f"{shelf}/files", {"file_id": file})
    assert there.get(f"{shelf}/files/{file}")["status"] == "in_progress"

    cluster.node("--role", "worker", **shared)

    eventually(lambda: there.get(f"{shelf}/files/{file}")["status"], lambda status: status == "completed")
    for api in (here, there):
        found = api.post(f"{shelf}/search", {"query": "Who feeds the gulls?"})["data"]
        assert [(each["file_id"], each["content"][0]["text"]) for each in found] == [(file, TEXT.decode())]
        assert api.send("GET", f"/files/{file}/content").body == TEXT
    there.delete(f"/files/{file}")
    assert here.send("GET", f"/files/{file}/content").status == 404
    assert list((cluster.folder / "shared").glob("*/*")) == []


def test_a_bucket_is_where_nodes_find_each_other_s_files(cluster: Cluster):
    with S3Server() as s3:
        bucket = {"RUNSTEAD_BLOBS_URL": f"s3://{BUCKET}/shared", **s3.environment}
        here = Api(cluster.node("--role", "api", **bucket).url)
        file, large = upload(here, TEXT, b"gulls.txt"), upload(here, TEXT * 200_000)
        shelf = f"/vector_stores/{here.post('/vector_stores', {'file_ids': [file]})['id']}"

        there = Api(cluster.node(**bucket).url)

        eventually(lambda: there.get(f"{shelf}/files/{file}")["status"], lambda status: status == "completed")
        assert [each["file_id"] for each in here.post(f"{shelf}/search", {"query": "gulls"})["data"]] == [file]
        assert there.send("GET", f"/files/{file}/content").body == TEXT
        assert there.send("GET", f"/files/{large}/content", range="bytes=-6").body == TEXT[-6:]
        there.delete(f"/files/{large}")
        assert here.send("GET", f"/files/{large}/content").status == 404
        assert "warnings" not in there.send("GET", "//readyz").json


def test_contents_on_another_node_s_disk_are_refused_with_the_way_out(cluster: Cluster):
    here, there = (Api(cluster.node("--role", "api").url) for _ in range(2))
    file = upload(here, TEXT)
    assert here.send("GET", f"/files/{file}/content").body == TEXT
    assert there.get(f"/files/{file}")["bytes"] == len(TEXT)

    refused = there.send("GET", f"/files/{file}/content")

    assert refused.status == 503
    assert "set RUNSTEAD_BLOBS_URL to a bucket" in refused.message
    assert refused.headers["retry-after"]
    for api in (here, there):
        [warning] = api.send("GET", "//readyz").json["warnings"]
        assert "set RUNSTEAD_BLOBS_URL to a bucket" in warning
    there.delete(f"/files/{file}")
    assert here.send("GET", f"/files/{file}").status == 404
