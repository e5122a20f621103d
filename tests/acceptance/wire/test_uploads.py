"""Forms that no official client sends: odd, damaged, endless, abandoned."""

import os
import socket
from pathlib import Path

import pytest

from tests.acceptance.processes import Server
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.forms import BOUNDARY, FILE, PURPOSE, TYPE, UPLOAD, form, part, send, upload
from tests.acceptance.wire.talk import Api, Raw, request, resident

MIB = 2**20
LIMIT = 512 * MIB


def kept(data_dir: Path) -> list[str]:
    """What lies in the folder of contents, unfinished uploads included."""
    return sorted(path.name for path in data_dir.glob("files/*/*"))


@pytest.mark.parametrize(
    "parts",
    [
        (FILE, PURPOSE),
        (PURPOSE, FILE),
        (part(b"expires_after[seconds]", b"3600"), FILE, part(b"expires_after[anchor]", b"created_at"), PURPOSE),
        (part(b"purpose", b"vision"), FILE, PURPOSE),
    ],
    ids=["purpose last", "purpose first", "expiry on both sides", "the last purpose counts"],
)
def test_parts_may_come_in_any_order(api: Api, parts):
    answer = send(api, form(*parts))

    assert answer.status == 200, answer
    assert answer.json["purpose"] == "assistants"
    assert (answer.json["expires_at"] is not None) == (len(parts) == 4)


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('form-data; name="file"; filename="grüße ☃.txt"'.encode(), "grüße ☃.txt"),
        (b"form-data; name=\"file\"; filename*=UTF-8''gr%C3%BC%C3%9Fe.txt", "grüße.txt"),
        (b'form-data; name="file"; filename="fallback"; filename*=utf-8\'\'%E2%98%83', "☃"),
        (b'form-data; name="file"; filename="gr\xfc\xdfe.txt"', "grüße.txt"),
        (b'form-data; name="file"; filename="/etc/passwd"', "passwd"),
        (b'form-data; name="file"; filename="..\\..\\a.txt"', "a.txt"),
        (b'form-data; name="file"; filename=".."', ".."),
        (b'form-data; name="file"; filename=""', "upload"),
        (b"form-data; name=file; filename=bare.txt", "bare.txt"),
        (b'form-data; name="file"; filename="a;b\\"c.txt"', 'a;b"c.txt'),
    ],
)
def test_names_of_files_are_what_was_meant(api: Api, disposition, name):
    file = part(b"", b"x", head=b"Content-Disposition: " + disposition)

    answer = send(api, form(file, PURPOSE))

    assert answer.status == 200, answer
    assert answer.json["filename"] == name
    assert api.send("GET", f"/files/{answer.json['id']}/content").body == b"x"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "it ends before its last boundary"),
        (b"no form at all", "its boundaries or the heads of its parts are damaged"),
        (UPLOAD[:-20], "it ends before its last boundary"),
        (FILE[:-10], "it ends before its last boundary"),
        (form(part(b"", b"x", head=b"X-Nothing: 1"), PURPOSE), "a part of it has no name"),
        (form(part(b"", b"x", head=b'Content-Disposition: attachment; name="file"')), "a part of it has no name"),
        (form(part(b"", b"x", head=b"Bad Header: 1")), "its boundaries or the heads of its parts are damaged"),
        (form(part(b"", b"x", head=b"X: " + b"y" * 100_000)), "its boundaries or the heads of its parts are damaged"),
        (form(part(b"", b"x", head=b"\r\n".join([b"X: y"] * 1_000))), "the heads of its parts are damaged"),
        (form(*[PURPOSE] * 1_000), "it has more than 20 parts"),
        (form(FILE, FILE, PURPOSE), "it has more than one file"),
        (form(FILE, part(b"purpose", b"p" * 10_000)), "its field 'purpose' is longer than 4096 bytes"),
        (form(FILE, part(b"purpose", b"\xff\xfe")), "its field 'purpose' is not valid UTF-8"),
    ],
)
def test_a_damaged_form_is_refused(api: Api, body, words):
    before = api.get("/files")["data"]

    answer = send(api, body)

    assert answer.status == 400
    assert words in answer.message
    assert api.get("/files")["data"] == before


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        (form(PURPOSE), "file", "missing_required_parameter"),
        (form(FILE), "purpose", "missing_required_parameter"),
        (form(FILE, part(b"purpose", b"")), "purpose", "invalid_value"),
        (form(FILE, PURPOSE, part(b"shape", b"round")), "shape", "unknown_parameter"),
        (form(part(b"file", b"Hello"), PURPOSE), "file", "invalid_type"),
        (form(FILE, part(b"purpose", b"assistants", filename=b"p.txt")), "purpose", "invalid_type"),
        (form(FILE, part(b"purpose", b"assis\0tants")), "purpose", "invalid_value"),
        (form(part(b"file", b"x", filename=b"a%00b"), PURPOSE, part(b"x", b"")), "x", "unknown_parameter"),
        (form(part(b"file", b"x", filename=b"a" * 1_025), PURPOSE), "file", "string_above_max_length"),
        (form(FILE, PURPOSE, part(b"expires_after[seconds]", b"3600")), "expires_after.anchor", None),
        (form(FILE, PURPOSE, part(b"expires_after[anchor]", b"created_at")), "expires_after.seconds", None),
        (
            form(FILE, PURPOSE, part(b"expires_after[anchor]", b"now"), part(b"expires_after[seconds]", b"3600")),
            "expires_after.anchor",
            "invalid_value",
        ),
        (
            form(FILE, PURPOSE, part(b"expires_after[anchor]", b"created_at"), part(b"expires_after[seconds]", b"1e4")),
            "expires_after.seconds",
            "invalid_type",
        ),
    ],
)
def test_a_form_that_says_the_wrong_thing_is_refused_by_name(api: Api, body, param, code):
    answer = send(api, body)

    assert answer.status == 400, answer
    assert answer.error["param"] == param
    assert answer.error["code"] == code or code is None


@pytest.mark.parametrize(
    ("content_type", "words"),
    [
        (b"Content-Type: application/json", "Unsupported Content-Type 'application/json': send multipart/form-data."),
        (b"X-Nothing: 1", "send multipart/form-data."),
        (b"Content-Type: multipart/form-data", "its Content-Type names no boundary"),
        (b"Content-Type: multipart/form-data; boundary=", "its Content-Type names no boundary"),
        (b"Content-Type: multipart/form-data; boundary=" + b"b" * 2_000, "its boundary is too long"),
        (b"Content-Type: multipart/form-data; boundary=other", "are damaged"),
    ],
)
def test_what_is_no_form_is_refused(api: Api, content_type, words):
    answer = send(api, UPLOAD, content_type)

    assert answer.status == 400
    assert words in answer.message


def test_a_refused_upload_leaves_no_contents(starter):
    api = Api(starter().url)
    big = part(b"file", os.urandom(20 * MIB), filename=b"a.bin")

    for body in (form(big), form(big, part(b"shape", b"round")), form(big, PURPOSE, FILE), form(big, PURPOSE)[:-4]):
        assert send(api, body).status == 400

    assert kept(starter.data_dir) == []


def test_a_connection_is_of_use_after_a_refusal(api: Api):
    with Raw(api.url) as raw:
        for body, status in ((form(part(b"purpose", b"homework"), FILE), 400), (UPLOAD, 200)):
            raw.send(request(b"POST", b"/v1/files", body, TYPE))
            assert raw.read().status == status


# Too much


def test_a_file_announced_as_too_large_is_refused_before_any_of_it_is_sent(api: Api):
    with Raw(api.url) as raw:
        raw.send(request(b"POST", b"/v1/files", b"", TYPE, b"Content-Length: %d" % (LIMIT + MIB)))

        answer = raw.read()

    assert answer.status == 413
    assert f"at most {LIMIT} bytes" in answer.message


def test_a_file_that_turns_out_too_large_is_refused_before_it_is_read_whole(starter):
    server = starter(RUNSTEAD_MAX_UPLOAD=str(20 * MIB))
    with Raw(server.url) as raw:
        raw.send(request(b"POST", b"/v1/files", b"", TYPE, b"Transfer-Encoding: chunked"))
        opening = PURPOSE + b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        raw.send(b"%x\r\n%b\r\n" % (len(opening), opening))
        # No end of it: an answer can only come from not waiting for one.
        raw.send_all_it_takes((b"100000\r\n" + bytes(MIB) + b"\r\n") * 64)

        answer = raw.read()

        assert answer.status == 413
        assert f"at most {20 * MIB} bytes" in answer.message
        assert raw.is_closed()
    eventually(lambda: kept(starter.data_dir), lambda names: names == [])


def test_a_file_of_exactly_the_limit_is_taken(starter):
    api = Api(starter(RUNSTEAD_MAX_UPLOAD=str(MIB)).url)

    assert upload(api, bytes(MIB))
    with Raw(api.url) as raw:
        body = form(PURPOSE, part(b"file", bytes(MIB + 1), filename=b"a"))
        raw.send_all_it_takes(request(b"POST", b"/v1/files", body, TYPE))
        assert raw.read().status == 413


def test_large_files_are_held_neither_coming_nor_going(server: Server, api: Api):
    size = 200 * MIB
    before = resident(server.process.pid)
    opening = PURPOSE + b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    ending = b"\r\n--" + BOUNDARY + b"--\r\n"
    peak = before
    with Raw(api.url) as raw:
        raw.send(
            request(b"POST", b"/v1/files", b"", TYPE, b"Content-Length: %d" % (len(opening) + size + len(ending)))
            + opening
        )
        for _ in range(size // MIB):
            raw.send(bytes(MIB))
            peak = max(peak, resident(server.process.pid))
        raw.send(ending)
        answer = raw.read()
    assert answer.json["bytes"] == size

    connection = api.connect_and_send("GET", f"/files/{answer.json['id']}/content", {})
    response = connection.getresponse()
    while response.read(MIB):
        peak = max(peak, resident(server.process.pid))
    connection.close()

    api.delete(f"/files/{answer.json['id']}")
    assert peak < before + 90 * MIB


# Nobody there


@pytest.mark.parametrize("sent", [100, 12 * MIB], ids=["a little", "more than a part"])
def test_an_upload_whose_sender_leaves_writes_nothing(starter, sent):
    api = Api(starter().url)
    with Raw(api.url) as raw:
        body = form(PURPOSE, part(b"file", bytes(20 * MIB), filename=b"a"))
        raw.send(request(b"POST", b"/v1/files", b"", TYPE, b"Content-Length: %d" % len(body)) + body[:sent])
        if sent > MIB:
            eventually(lambda: kept(starter.data_dir))
        raw.socket.shutdown(socket.SHUT_RDWR)

    eventually(lambda: '"status": 499' in starter.running.log)
    eventually(lambda: kept(starter.data_dir), lambda names: names == [])
    assert api.get("/files")["data"] == []


def test_a_slow_upload_keeps_nobody_else_waiting(api: Api):
    body = form(PURPOSE, part(b"file", b"slow", filename=b"slow.txt"))
    with Raw(api.url) as raw:
        raw.send(request(b"POST", b"/v1/files", b"", TYPE, b"Content-Length: %d" % len(body)))
        for byte in body[:-1]:
            raw.send(bytes([byte]))
            assert api.send("GET", "/files?limit=1").status == 200

        raw.send(body[-1:])

        assert raw.read().json["filename"] == "slow.txt"
