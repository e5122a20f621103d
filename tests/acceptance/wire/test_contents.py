"""Contents over plain HTTP: ranges, headers, and clients that leave."""

import pytest

from tests.acceptance.wire.forms import form, part, send, upload
from tests.acceptance.wire.talk import Api, Raw, request

TEN = b"0123456789"


@pytest.fixture(scope="module")
def file(api: Api) -> str:
    return upload(api, TEN, 'grüße".txt'.encode())


@pytest.mark.parametrize(
    ("range", "first", "end"),
    [
        ("bytes=0-4", 0, 5),
        ("bytes=4-4", 4, 5),
        ("bytes=5-", 5, 10),
        ("bytes=-3", 7, 10),
        ("bytes=8-99", 8, 10),
        ("bytes= 2 - 3 ", None, None),
        ("bytes=-99", None, None),
        ("bytes=0-", None, None),
        ("bytes=0-9", None, None),
        # What is not understood is ignored, and so is a list.
        ("bytes=1-2,4-5", None, None),
        ("lines=1-2", None, None),
        ("bytes=5-4", None, None),
        ("bytes=-", None, None),
        ("bytes=x-y", None, None),
        ("bytes=" + "9" * 30 + "-", None, None),
    ],
)
def test_the_range_that_was_asked_for_is_sent(api: Api, file, range, first, end):
    answer = api.send("GET", f"/files/{file}/content", range=range)

    if first is None:
        assert (answer.status, answer.body) == (200, TEN)
        assert "content-range" not in answer.headers
    else:
        assert (answer.status, answer.body) == (206, TEN[first:end])
        assert answer.headers["content-range"] == f"bytes {first}-{end - 1}/10"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("range", ["bytes=10-", "bytes=10-20", "bytes=-0"])
def test_a_range_beyond_the_end_is_refused(api: Api, file, range):
    answer = api.send("GET", f"/files/{file}/content", range=range)

    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */10")
    assert answer.message == "The requested range lies outside of the contents, which have 10 bytes."


def test_an_empty_file_has_no_ranges(api: Api):
    empty = upload(api, b"")

    assert api.send("GET", f"/files/{empty}/content").body == b""
    assert api.send("GET", f"/files/{empty}/content", range="bytes=0-").status == 416


def test_a_head_says_everything_but_the_contents(api: Api, file):
    with Raw(api.url) as raw:
        raw.send(request(b"HEAD", f"/v1/files/{file}/content".encode()))
        answer = raw.read("HEAD")
        assert (answer.status, answer.headers["content-length"], answer.body) == (200, "10", b"")
        raw.send(request(b"GET", f"/v1/files/{file}".encode()))
        assert raw.read().json["id"] == file


def test_a_browser_takes_no_file_for_a_page(api: Api):
    page = send(api, form(part(b"purpose", b"assistants"), part(b"file", b"<script>", filename=b"a.html")))

    answer = api.send("GET", f"/files/{page.json['id']}/content")

    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"] == "attachment; filename*=utf-8''a.html"


def test_the_name_of_a_file_survives_a_header(api: Api, file):
    answer = api.send("GET", f"/files/{file}/content")

    assert answer.headers["content-disposition"] == "attachment; filename*=utf-8''gr%C3%BC%C3%9Fe%22.txt"


def test_a_reader_that_leaves_disturbs_nobody(api: Api):
    big = upload(api, bytes(30 * 2**20))
    for _ in range(5):
        with Raw(api.url, receive_buffer=4_096) as raw:
            raw.send(request(b"GET", f"/v1/files/{big}/content".encode()))
            assert raw.socket.recv(100).startswith(b"HTTP/1.1 200")

    assert len(api.send("GET", f"/files/{big}/content").body) == 30 * 2**20
    api.delete(f"/files/{big}")


def test_contents_that_are_not_here_are_said_to_be_elsewhere(starter):
    api = Api(starter().url)
    file = upload(api, TEN)
    (where,) = starter.data_dir.glob("files/*/*")
    where.unlink()

    answer = api.send("GET", f"/files/{file}/content")

    assert answer.status == 503
    assert "RUNSTEAD_BLOBS_URL" in answer.message
    assert api.delete(f"/files/{file}")["deleted"]
