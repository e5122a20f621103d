"""Every error has a status and the API's shape."""

import json

import pytest

from runstead.domain import errors as domain
from runstead.http import errors
from runstead.http.refusals import UnknownParameter

KEY = "sk-abcdefghijklmnopqrstuvwxyz1234"


@pytest.mark.parametrize(
    ("error", "status", "type_", "param", "code"),
    [
        (domain.InvalidRequest("no", param="p", code="c"), 400, "invalid_request_error", "p", "c"),
        (UnknownParameter("zz"), 400, "invalid_request_error", "zz", "unknown_parameter"),
        (domain.ThreadHasActiveRun("thread_1", "run_1"), 400, "invalid_request_error", None, None),
        (domain.ThreadLocked("thread_1", "run_1"), 400, "invalid_request_error", None, None),
        (domain.UnknownFile("File", "file-1", "file_ids[0]"), 400, "invalid_request_error", "file_ids[0]", None),
        (errors.InvalidBeta(), 400, "invalid_request_error", None, "invalid_beta"),
        (errors.WrongContentType("text/plain", "application/json"), 400, "invalid_request_error", None, None),
        (errors.MissingKey(), 401, "invalid_request_error", None, None),
        (errors.InvalidKey(KEY), 401, "invalid_request_error", None, "invalid_api_key"),
        (errors.ForeignCaller("Origin", "http://evil.example"), 403, "invalid_request_error", None, None),
        (domain.NotFound("run", "run_1"), 404, "invalid_request_error", None, None),
        (domain.NoFile("file-1"), 404, "invalid_request_error", "id", None),
        (errors.UnknownUrl("POST", "/v1/whatever"), 404, "invalid_request_error", None, None),
        (errors.MethodNotSupported(["POST"]), 405, "invalid_request_error", None, "method_not_supported"),
        (errors.BodyTooLarge(10), 413, "invalid_request_error", None, None),
        (domain.IllegalTransition("queued", "x"), 500, "server_error", None, None),
        (ZeroDivisionError("secret"), 500, "server_error", None, None),
        (domain.ModelFailed("server_error", "the model is down"), 502, "server_error", None, "server_error"),
        (domain.Stale("run run_1"), 503, "server_error", None, None),
        (domain.Unavailable("disk full"), 503, "server_error", None, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_an_error_has_its_status_and_the_api_s_shape(error, status, type_, param, code):
    answer = errors.answer(error)

    assert answer.status == status
    body = json.loads(answer.body)
    assert list(body) == ["error"]
    assert list(body["error"]) == ["message", "type", "param", "code"]
    assert body["error"]["message"]
    assert (body["error"]["type"], body["error"]["param"], body["error"]["code"]) == (type_, param, code)
    assert answer.headers["content-type"] == "application/json"


def test_an_unforeseen_error_tells_only_where_to_look():
    answer = errors.answer(ZeroDivisionError("secret"), request_id="req_1")

    assert b"secret" not in answer.body
    assert b"req_1" in answer.body


@pytest.mark.parametrize("error", [domain.Stale("run"), domain.Unavailable("later")])
def test_what_may_work_later_says_when(error):
    assert errors.answer(error).headers["retry-after"] == "1"


def test_a_wrong_method_names_the_right_ones():
    answer = errors.answer(errors.MethodNotSupported(["GET", "POST"]))

    assert answer.headers["allow"] == "GET, POST"
    assert b"Only GET and POST requests are accepted." in answer.body


def test_an_unknown_url_is_repeated():
    assert errors.UnknownUrl("POST", "/v1/whatever").message == "Invalid URL (POST /v1/whatever)"
    assert len(errors.UnknownUrl("GET", "/" * 100_000).message) < 300


def test_a_path_that_cannot_be_encoded_is_answered_all_the_same():
    assert json.loads(errors.answer(errors.UnknownUrl("GET", "/\udcff")).body)


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        (KEY, "sk-...1234"),
        ("abcdefghijklmnop", "...mnop"),
        ("sk-short", "***"),
        ("", "***"),
        ("ключ" * 10, "***"),
        ("a" * 20 + "\n" + "b" * 20, "***"),
    ],
)
def test_a_key_is_shown_masked(key, shown):
    assert errors.masked(key) == shown
    assert errors.InvalidKey(key).message.startswith(f"Incorrect API key provided: {shown}. ")


def test_a_stream_s_error_can_be_read_flat_and_wrapped():
    data = json.loads(errors.stream_error(errors.describe(domain.Unavailable("later"))))

    flat = {name: data[name] for name in ("message", "type", "param", "code")}
    assert data["error"] == flat
    assert flat["type"] == "server_error"
