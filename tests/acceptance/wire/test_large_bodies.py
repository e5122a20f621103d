"""Bodies beyond the limit, bodies that come slowly, and bodies whose sender leaves."""

import pytest

from tests.acceptance.processes import Server
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.talk import Api, Raw, request, resident

MIB = 2**20
TOO_LARGE = 33 * MIB
PATHS = [
    "/assistants",
    "/threads",
    "/threads/runs",
    "/threads/thread_x/messages",
    "/threads/t/runs/r/submit_tool_outputs",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_body_announced_as_too_large_is_refused_before_any_of_it_is_sent(api: Api, path):
    with Raw(api.url) as raw:
        raw.send(request(b"POST", b"/v1" + path.encode(), b"", b"Content-Length: %d" % TOO_LARGE))

        answer = raw.read()

        assert answer.status == 413
        assert "at most 33554432 bytes" in answer.message
        assert answer.headers["connection"] == "close"
        assert raw.is_closed()


@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_turns_out_too_large_is_refused_before_it_is_read_whole(api: Api, path):
    chunk = b"100000\r\n" + b" " * MIB + b"\r\n"
    with Raw(api.url) as raw:
        head = request(
            b"POST", b"/v1" + path.encode(), b"", b"Transfer-Encoding: chunked", b"Content-Type: application/json"
        )
        raw.send(head)
        # Far more than the limit, and no end of it: an answer can only come from not waiting for one.
        took_all = raw.send_all_it_takes(chunk * 64)

        answer = raw.read()

        assert not took_all or answer.headers["connection"] == "close"
        assert answer.status == 413
        assert "at most 33554432 bytes" in answer.message
        assert raw.is_closed()


def test_a_client_that_waits_for_leave_to_send_is_not_given_it_for_too_much(api: Api):
    with Raw(api.url) as raw:
        raw.send(request(b"POST", b"/v1/threads", b"", b"Content-Length: %d" % TOO_LARGE, b"Expect: 100-continue"))

        # Not "100 Continue": the first answer is the last.
        assert raw.read().status == 413


def test_a_client_that_waits_for_leave_to_send_is_given_it(api: Api):
    with Raw(api.url) as raw:
        raw.send(
            request(
                b"POST",
                b"/v1/threads",
                b"",
                b"Content-Length: 2",
                b"Content-Type: application/json",
                b"Expect: 100-continue",
            )
        )
        assert raw.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"

        raw.send(b"{}")

        assert raw.read().status == 200


def test_a_client_that_sends_its_whole_body_regardless_still_reads_the_refusal(api: Api):
    with Raw(api.url) as raw:
        raw.send_all_it_takes(request(b"POST", b"/v1/threads", b" " * TOO_LARGE))

        assert raw.read().status == 413


def test_a_body_just_within_the_limit_is_read(api: Api):
    body = b'{"metadata": {}}'

    assert api.send("POST", "/threads", body + b" " * (32 * MIB - len(body))).status == 200
    with Raw(api.url) as raw:
        raw.send_all_it_takes(request(b"POST", b"/v1/threads", body + b" " * (32 * MIB - len(body) + 1)))
        assert raw.read().status == 413


def test_the_limit_is_a_setting(starter):
    api = Api(starter(RUNSTEAD_MAX_BODY="2000").url)

    assert api.send("POST", "/threads", b" " * 1990 + b"{}").status == 200
    with Raw(api.url) as raw:
        raw.send_all_it_takes(request(b"POST", b"/v1/threads", b" " * 2000 + b"{}"))
        refused = raw.read()

    assert refused.status == 413
    assert "at most 2000 bytes" in refused.message


def test_refused_bodies_leave_no_trace_in_memory(server: Server, api: Api):
    before = resident(server.process.pid)

    for _ in range(4):
        with Raw(api.url) as raw:
            raw.send(request(b"POST", b"/v1/threads", b"", b"Transfer-Encoding: chunked"))
            raw.send_all_it_takes((b"100000\r\n" + b" " * MIB + b"\r\n") * 40)
            assert raw.read().status == 413

    assert resident(server.process.pid) < before + 80 * MIB


def test_a_slow_body_keeps_nobody_else_waiting(api: Api):
    body = b'{"metadata": {"pace": "slow"}}'
    with Raw(api.url) as raw:
        raw.send(
            request(b"POST", b"/v1/threads", b"", b"Content-Type: application/json", b"Content-Length: %d" % len(body))
        )
        for byte in body[:-1]:
            raw.send(bytes([byte]))
            assert api.send("GET", "/assistants?limit=1").status == 200

        raw.send(body[-1:])

        assert raw.read().json["metadata"] == {"pace": "slow"}


@pytest.mark.parametrize("how", ["leaves", "stops sending"])
def test_a_body_whose_sender_goes_away_writes_nothing(api: Api, how):
    before = api.get("/assistants?limit=100")
    body = b'{"model": "m"}'
    with Raw(api.url) as raw:
        raw.send(request(b"POST", b"/v1/assistants", b"", b"Content-Type: application/json", b"Content-Length: 100"))
        raw.send(body)
        if how == "stops sending":
            raw.socket.shutdown(1)
            assert raw.is_closed()

    assert api.get("/assistants?limit=100") == before


def test_a_request_whose_client_does_not_wait_for_the_answer_is_done_whole_or_not_at_all(api: Api):
    assistant = api.post("/assistants", {"model": "m"})["id"]
    body = b'{"name": "named", "metadata": {"named": "yes"}}'

    for _ in range(20):
        with Raw(api.url) as raw:
            raw.send(request(b"POST", b"/v1/assistants/" + assistant.encode(), body))

    found = eventually(lambda: api.get(f"/assistants/{assistant}"), lambda found: found["name"] == "named")
    assert found["metadata"] == {"named": "yes"}
