"""Multipart forms as bytes, well made or not."""

import http.client

from tests.acceptance.wire.talk import PATIENCE, Answer, Api, address, read_answer

BOUNDARY = b"--------b0undary"
TYPE = b"Content-Type: multipart/form-data; boundary=" + BOUNDARY


def part(name: bytes, value: bytes, *, filename: bytes | None = None, head: bytes | None = None) -> bytes:
    """One part; `head` replaces its own."""
    if head is None:
        head = b'Content-Disposition: form-data; name="' + name + b'"'
        head += b"" if filename is None else b'; filename="' + filename + b'"'
    return b"--" + BOUNDARY + b"\r\n" + head + b"\r\n\r\n" + value + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"


PURPOSE = part(b"purpose", b"assistants")
FILE = part(b"file", b"Hello", filename=b"a.txt")
UPLOAD = form(FILE, PURPOSE)


def send(api: Api, body: bytes, content_type: bytes = TYPE) -> Answer:
    """POST /files with this body and this header."""
    connection = http.client.HTTPConnection(*address(api.url), timeout=PATIENCE)
    name, _, value = content_type.decode().partition(": ")
    try:
        connection.request("POST", "/v1/files", body, {name: value})
        return read_answer(connection.getresponse())
    finally:
        connection.close()


def upload(api: Api, contents: bytes, name: bytes = b"a.bin") -> str:
    """The id of a file that was uploaded."""
    answer = send(api, form(PURPOSE, part(b"file", contents, filename=name)))
    assert answer.status == 200, answer
    id: str = answer.json["id"]
    return id
