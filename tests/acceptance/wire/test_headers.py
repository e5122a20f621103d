"""What every answer bears, and which version a request asks for."""

import json
import re

import pytest

from tests.acceptance.processes import Server
from tests.acceptance.scripted import Model
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.drama import Drama
from tests.acceptance.wire.talk import Api, Raw

REQUEST_ID = re.compile(r"req_[0-9a-f]{32}")
ANSWERS = [
    ("GET", "/assistants", None, 200),
    ("POST", "/threads", {}, 200),
    ("POST", "/threads", {"x": 1}, 400),
    ("GET", "/threads/thread_x", None, 404),
    ("GET", "/nowhere", None, 404),
    ("PUT", "/threads", {}, 405),
    ("HEAD", "/models", None, 200),
    ("GET", "//healthz", None, 200),
    ("GET", "//nowhere", None, 404),
]


def logged(server: Server) -> dict[str, dict[str, object]]:
    lines = [json.loads(line) for line in server.log.splitlines() if '"request_id"' in line]
    return {line["request_id"]: line for line in lines}


@pytest.mark.parametrize(("method", "path", "body", "status"), ANSWERS)
def test_every_answer_has_a_request_id_that_the_log_has_too(server: Server, api: Api, method, path, body, status):
    answer = api.send(method, path, body)

    assert answer.status == status
    assert REQUEST_ID.fullmatch(answer.headers["x-request-id"])
    assert answer.headers["openai-processing-ms"].isdecimal()
    assert answer.headers["openai-version"] == "2020-10-01"
    line = eventually(lambda: logged(server).get(answer.headers["x-request-id"], {}))
    assert (line["method"], line["status"]) == (method, status)
    assert str(line["path"]).endswith(path.removeprefix("/"))


def test_what_is_not_http_has_a_request_id_that_the_log_has_too(server: Server, api: Api):
    with Raw(api.url) as raw:
        raw.send(b"hello\r\n\r\n")
        answer = raw.read()

    assert answer.headers["openai-version"] == "2020-10-01"
    assert eventually(lambda: logged(server).get(answer.headers["x-request-id"], {}))["status"] == 400


def test_request_ids_never_repeat(api: Api):
    ids = {api.send("GET", "/assistants?limit=1").headers["x-request-id"] for _ in range(50)}

    assert len(ids) == 50


def test_a_client_cannot_write_into_the_log(server: Server, api: Api):
    api.send("GET", "/threads/%0a%7b%22event%22:%20%22forged%22%7d")

    assert [line for line in server.log.splitlines() if line.startswith('{"event": "forged"')] == []


def test_a_stream_has_the_headers_of_an_answer(drama: Drama):
    drama.model.will({"text": "Hi"})
    with drama.api.stream(f"{drama.path}/runs", {"assistant_id": drama.assistant}) as stream:
        stream.rest()

    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.headers["cache-control"] == "no-cache"
    assert stream.headers["x-accel-buffering"] == "no"
    assert REQUEST_ID.fullmatch(stream.headers["x-request-id"])


def test_a_young_run_says_that_it_may_be_polled_soon(drama: Drama):
    drama.model.will({"text": "Hi"})
    run = drama.start()["id"]

    assert drama.api.send("GET", f"{drama.path}/runs/{run}").headers["openai-poll-after-ms"] == "200"


def test_only_what_is_polled_says_when_to_poll(drama: Drama):
    assert "openai-poll-after-ms" not in drama.api.send("GET", drama.path).headers


@pytest.mark.parametrize(
    ("header", "version"),
    [
        ("assistants=v1", "v1"),
        ("assistants=v2", "v2"),
        ("ASSISTANTS=V1", "v1"),
        ("  assistants = v1  ", "v1"),
        ("realtime=v1, assistants=v1", "v1"),
        ("assistants=v1,realtime=v1", "v1"),
        ("realtime=v1", "v2"),
        ("", "v2"),
        (",,", "v2"),
        ("assistants-like=v1", "v2"),
    ],
)
def test_the_beta_header_chooses_the_version(api: Api, header, version):
    shown = api.send("POST", "/assistants", {"model": "m"}, openai_beta=header).json

    assert ("file_ids" in shown) == (version == "v1")
    assert ("tool_resources" in shown) == (version == "v2")


def test_without_the_beta_header_the_version_is_v2(api: Api):
    assert "tool_resources" in api.post("/assistants", {"model": "m"})


@pytest.mark.parametrize(
    "header", ["assistants=v3", "assistants=", "assistants", "assistants=v1x", "assistants=v 1", "assistants=1"]
)
def test_an_unknown_version_is_refused(api: Api, header):
    answer = api.send("POST", "/assistants", {"model": "m"}, openai_beta=header)

    assert answer.status == 400
    assert answer.error["code"] == "invalid_beta"
    assert "OpenAI-Beta: assistants=v2" in answer.message


def test_a_path_of_v2_alone_is_unknown_in_v1(drama: Drama):
    message = drama.api.get(f"{drama.path}/messages")["data"][0]["id"]
    path = f"{drama.path}/messages/{message}"

    refused = drama.api.send("DELETE", path, openai_beta="assistants=v1")

    assert refused.status == 404
    assert refused.message == f"Invalid URL (DELETE /v1{path})"
    assert drama.api.delete(path)["deleted"] is True


def test_the_header_can_be_required(starter):
    api = Api(starter(RUNSTEAD_REQUIRE_BETA_HEADER="1").url)

    refused = api.send("POST", "/threads", {})

    assert refused.status == 400
    assert refused.error["code"] == "invalid_beta"
    assert refused.error["param"] is None
    assert refused.message.startswith("You must provide the 'OpenAI-Beta' header to access the Assistants API.")
    assert api.send("POST", "/threads", {}, openai_beta="realtime=v1").status == 400
    assert [api.send("POST", "/threads", {}, openai_beta=f"assistants=v{number}").status for number in (1, 2)] == [
        200,
        200,
    ]
    assert api.send("GET", "/models").status == 200


def test_an_older_run_asks_to_be_polled_less(drama: Drama, model: Model):
    model.will({"text": "Hi"})
    run = drama.start()["id"]
    drama.ended(run)

    # The only fact to wait for is the run's age.
    polled = eventually(
        lambda: drama.api.send("GET", f"{drama.path}/runs/{run}").headers["openai-poll-after-ms"],
        lambda after: after != "200",
    )

    assert polled == "1000"
