"""Files with the official client: uploaded, listed, read back, deleted."""

import io
import os

import pytest

from tests.acceptance.refusals import bad_request, not_found, refusal


def upload(client, contents=b"Hello", name="hello.txt", **fields):
    return client.files.create(file=(name, io.BytesIO(contents)), **{"purpose": "assistants", **fields})


def test_a_file_is_what_was_uploaded(client) -> None:
    contents = os.urandom(3_000_000)

    made = upload(client, contents, "grüße ☃.bin")

    assert made.id.startswith("file-")
    assert (made.object, made.bytes, made.filename) == ("file", 3_000_000, "grüße ☃.bin")
    assert (made.purpose, made.status, made.expires_at) == ("assistants", "processed", None)
    assert client.files.retrieve(made.id) == made
    assert client.files.content(made.id).read() == contents


@pytest.mark.parametrize("contents", [b"", b"\r\n--", b"\x00" * 70_000], ids=["empty", "like a boundary", "zeros"])
def test_whatever_is_in_it_comes_back(client, contents) -> None:
    made = upload(client, contents)

    assert made.bytes == len(contents)
    assert client.files.content(made.id).read() == contents


@pytest.mark.parametrize("purpose", ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"])
def test_every_purpose_is_kept(client, purpose) -> None:
    made = upload(client, purpose=purpose)

    assert made.purpose == purpose
    assert made.id in [file.id for file in client.files.list(purpose=purpose)]
    other = "batch" if purpose != "batch" else "vision"
    assert made.id not in [file.id for file in client.files.list(purpose=other)]


def test_another_purpose_is_refused(client) -> None:
    words = "Supported values are: 'assistants', 'batch', 'fine-tune', 'vision', 'user_data', and 'evals'."

    assert refusal(upload, client, purpose="homework") == bad_request(
        f"Invalid value: 'homework'. {words}", "purpose", "invalid_value"
    )


def test_a_file_may_expire(client) -> None:
    made = upload(client, extra_body={"expires_after": {"anchor": "created_at", "seconds": 3600}})

    assert made.expires_at == made.created_at + 3600


def test_too_short_a_life_is_refused(client) -> None:
    refused = refusal(upload, client, extra_body={"expires_after": {"anchor": "created_at", "seconds": 1}})

    assert refused.param == "expires_after.seconds"
    assert refused.code == "integer_below_min_value"


def test_pages_hold_every_file_once(client) -> None:
    made = [upload(client, name=f"{number}.txt").id for number in range(5)]

    listed = [file.id for file in client.files.list(limit=2, order="asc") if file.id in made]

    assert listed == made
    assert [file.id for file in client.files.list() if file.id in made] == made[::-1]


def test_files_can_be_deleted_while_they_are_listed(client) -> None:
    made = {upload(client, purpose="evals").id for _ in range(5)}

    for file in client.files.list(purpose="evals", limit=2):
        client.files.delete(file.id)

    assert not made & {file.id for file in client.files.list()}


def test_a_deleted_file_is_gone(client) -> None:
    made = upload(client)

    deleted = client.files.delete(made.id)

    assert (deleted.id, deleted.object, deleted.deleted) == (made.id, "file", True)
    for act in (client.files.retrieve, client.files.delete, client.files.content):
        refused = refusal(act, made.id)
        assert refused == not_found(f"No such File object: {made.id}")._replace(param="id")


def test_a_file_is_processed_at_once(client) -> None:
    made = upload(client)

    assert client.files.wait_for_processing(made.id, poll_interval=0.01, max_wait_seconds=5) == made


def test_an_upload_may_be_streamed_to_a_file(client, tmp_path) -> None:
    contents = os.urandom(1_000_000)
    made = upload(client, contents)

    with client.files.with_streaming_response.content(made.id) as answer:
        answer.stream_to_file(tmp_path / "copy")

    assert (tmp_path / "copy").read_bytes() == contents
