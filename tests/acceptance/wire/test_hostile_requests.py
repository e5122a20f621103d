"""Requests that no HTTP client would send: answered in the API's shape, or cut off, by a server that goes on."""

import socket

import pytest

from tests.acceptance.processes import Server
from tests.acceptance.wire.talk import Api, Raw, request, resident

MIB = 2**20


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "TRACE", "DELETE"])
@pytest.mark.parametrize("path", ["/assistants", "/threads/thread_x/messages", "/threads/thread_x/runs"])
def test_a_method_that_a_path_does_not_know_is_refused_with_those_it_knows(api: Api, method, path):
    answer = api.send(method, path)

    assert answer.status == 405
    assert answer.error["code"] == "method_not_supported"
    assert answer.headers["allow"] == "GET, POST"
    assert answer.message == "Only GET and POST requests are accepted."


@pytest.mark.parametrize("method", ["BREW", "get", "M-SEARCH", "PROPFIND"])
def test_an_unknown_method_is_refused(api: Api, method):
    with Raw(api.url) as raw:
        raw.send(request(method.encode(), b"/v1/assistants"))

        assert raw.read(method).error["type"] == "invalid_request_error"


def test_head_is_answered_as_get_without_a_body(api: Api):
    answer = api.send("HEAD", "/assistants")

    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize("method", [b"GET", b"POST", b"PUT", b"DELETE"])
@pytest.mark.parametrize(
    "path", [b"/", b"/v1", b"/v1/", b"/v1/whatever", b"/v2/assistants", b"//v1/assistants", b"/v1/assistants/"]
)
def test_an_unknown_path_is_named(api: Api, method, path):
    with Raw(api.url) as raw:
        raw.send(request(method, path))

        answer = raw.read()

        assert answer.status == 404
        assert answer.message == f"Invalid URL ({method.decode()} {path.decode()})"


IDS = {
    "a NUL": b"%00",
    "an id with a NUL in it": b"asst_%00x",
    "a slash": b"a%2Fb",
    "dots": b"..",
    "encoded dots": b"%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "invalid UTF-8": b"%ff%fe",
    "a truncated escape": b"%f",
    "an encoded surrogate": b"%ed%a0%80",
    "a line break": b"%0d%0aX-Injected:%201",
    "quotes": b"%27%22%3b--",
    "a statement": b"x'%20OR%20'1'='1",
    "a wildcard": b"%25",
    "text of four bytes": b"%f0%9f%a6%8a",
    "ten thousand characters": b"a" * 10_000,
}
PLACES = [
    b"/v1/assistants/%s",
    b"/v1/threads/%s",
    b"/v1/threads/%s/messages",
    b"/v1/threads/t/runs/%s",
    b"/v1/models/%s",
]


@pytest.mark.parametrize("method", [b"GET", b"POST", b"DELETE"])
@pytest.mark.parametrize("place", PLACES)
def test_an_odd_id_leads_nowhere(api: Api, method, place):
    for kind, id in IDS.items():
        with Raw(api.url) as raw:
            raw.send(request(method, place.replace(b"%s", id), b"" if method != b"POST" else b"{}"))

            answer = raw.read()

            assert answer.status in {400, 404, 405}, kind
            assert answer.message, kind
            assert len(answer.body) < 11_000, kind
            assert "x-injected" not in answer.headers, kind


MALFORMED = {
    "no HTTP": b"hello\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a version from the future": b"GET / HTTP/9.9\r\n\r\n",
    "a path with a space": b"GET /v1/assist ants HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a path that is not ASCII": b"GET /v1/assistants/\xc3\xa9 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a path with a control character": b"GET /v1/\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an address instead of a path": b"GET http:// HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a host to connect to": b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n",
    "a header without a colon": b"GET /v1/assistants HTTP/1.1\r\nHost localhost\r\n\r\n",
    "a header with a NUL": b"GET /v1/assistants HTTP/1.1\r\nHost: local\0host\r\n\r\n",
    "a header name with a space": b"GET /v1/assistants HTTP/1.1\r\nHo st: localhost\r\n\r\n",
    "a negative length": b"POST /v1/threads HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    "a length of words": b"POST /v1/threads HTTP/1.1\r\nHost: localhost\r\nContent-Length: many\r\n\r\n",
    "a length of a thousand digits": b"POST /v1/threads HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
    + b"9" * 1000
    + b"\r\n\r\n",
    "two lengths": b"POST /v1/threads HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a length and chunks": b"POST /v1/threads HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk size of words": b"POST /v1/threads HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nmany\r\n",
    "an unknown transfer encoding": b"POST /v1/threads HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, rot13\r\n\r\n{}",
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_what_is_not_http_is_refused_in_the_shape_of_the_api(api: Api, kind):
    with Raw(api.url) as raw:
        raw.send(MALFORMED[kind])

        answer = raw.read()

        assert answer.status in {400, 404, 405}
        assert answer.message
        assert answer.status != 400 or raw.is_closed()


BOMBS = {
    "an endless path": (b"GET /v1/", b"a" * MIB),
    "an endless header": (b"GET /v1/assistants HTTP/1.1\r\nX-Long: ", b"a" * MIB),
    "an endless header name": (b"GET /v1/assistants HTTP/1.1\r\n", b"a" * MIB),
    "endless headers": (b"GET /v1/assistants HTTP/1.1\r\n", b"X-Many: 1\r\n" * 100_000),
    "endless trailers": (
        b"POST /v1/threads HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        b"X-Many: 1\r\n" * 100_000,
    ),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_head_without_an_end_is_cut_off(server: Server, api: Api, kind):
    start, more = BOMBS[kind]
    before = resident(server.process.pid)
    with Raw(api.url) as raw:
        raw.send(start)
        took_all = all(raw.send_all_it_takes(more) for _ in range(32))

        assert not took_all
        assert raw.read().status == 400
        assert raw.is_closed()

    assert resident(server.process.pid) < before + 16 * MIB
    assert api.send("GET", "/assistants?limit=1").status == 200


def test_a_large_head_that_a_proxy_may_well_send_is_read(api: Api):
    headers = [b"X-%d: %s" % (number, b"a" * 1000) for number in range(30)]
    with Raw(api.url) as raw:
        raw.send(request(b"GET", b"/v1/assistants?limit=1", b"", *headers))

        assert raw.read().status == 200


def test_pipelined_requests_are_answered_in_order(api: Api):
    names = [f"name-{number}" for number in range(50)]
    with Raw(api.url) as raw:
        raw.send(
            b"".join(
                request(b"POST", b"/v1/assistants", b'{"model": "m", "name": "%s"}' % name.encode()) for name in names
            )
        )

        assert [raw.read().json["name"] for _ in names] == names


def test_pipelined_requests_survive_a_refused_one_among_them(api: Api):
    with Raw(api.url) as raw:
        raw.send(
            request(b"POST", b"/v1/threads", b"{nonsense")
            + request(b"GET", b"/v1/nowhere")
            + request(b"POST", b"/v1/threads", b"\xff", b"Content-Type: text/plain")
            + request(b"POST", b"/v1/threads", b"{}")
        )

        assert [raw.read().status for _ in range(4)] == [400, 404, 400, 200]


def test_a_request_before_garbage_is_answered(api: Api):
    with Raw(api.url) as raw:
        raw.send(request(b"POST", b"/v1/threads", b'{"metadata": {"came": "first"}}') + b"\0garbage\r\n\r\n")

        assert raw.read().json["metadata"] == {"came": "first"}
        assert raw.is_closed()


def test_a_body_that_a_refusal_leaves_unread_is_not_taken_for_the_next_request(api: Api):
    smuggled = request(b"POST", b"/v1/assistants", b'{"model": "smuggled"}')
    with Raw(api.url) as raw:
        raw.send(request(b"POST", b"/v1/nowhere", smuggled) + request(b"GET", b"/v1/assistants?limit=1"))

        assert raw.read().status == 404
        assert raw.read().json["data"][:1] != []
    assert "smuggled" not in [found["model"] for found in api.get("/assistants?limit=5")["data"]]


def test_a_request_of_http_1_0_is_answered_and_the_connection_closed(api: Api):
    with Raw(api.url) as raw:
        raw.send(b"GET /v1/assistants?limit=1 HTTP/1.0\r\n\r\n")

        assert raw.read().status == 200
        assert raw.is_closed()


@pytest.mark.parametrize("upgrade", [b"websocket", b"h2c"])
def test_a_wish_for_another_protocol_is_passed_over(api: Api, upgrade):
    with Raw(api.url) as raw:
        raw.send(request(b"GET", b"/v1/assistants?limit=1", b"", b"Connection: Upgrade", b"Upgrade: " + upgrade))

        assert raw.read().status == 200


def test_ten_thousand_query_parameters_are_refused(api: Api):
    query = "&".join(f"p{number}=1" for number in range(10_000))

    assert api.send("GET", f"/assistants?{query}").status == 400
    assert api.send("POST", f"/threads?{query}", {}).status == 400


QUERIES = {
    "limit=0": ("limit", "integer_below_min_value"),
    "limit=101": ("limit", "integer_above_max_value"),
    "limit=-1": ("limit", "integer_below_min_value"),
    "limit=1.5": ("limit", "invalid_type"),
    "limit=ten": ("limit", "invalid_type"),
    "limit=%D9%A1": ("limit", "invalid_type"),
    "limit=" + "9" * 5_000: ("limit", "invalid_type"),
    "limit=1e3": ("limit", "invalid_type"),
    "order=up": ("order", "invalid_value"),
    "order=ASC": ("order", "invalid_value"),
    "after=%00": ("after", "invalid_value"),
    "before=a%00b": ("before", "invalid_value"),
}
CURSORS = ["after=asst_unknown", "before=asst_unknown", "after=%FF", "after=" + "a" * 5_000, "after=x'%20OR%201=1"]


@pytest.mark.parametrize("path", ["/assistants", "/threads/{thread}/messages", "/threads/{thread}/runs"])
def test_a_wrong_page_is_refused_with_the_parameter_at_fault(api: Api, path):
    path = path.format(thread=api.post("/threads")["id"])
    for query, (param, code) in QUERIES.items():
        error = api.send("GET", f"{path}?{query}").error
        assert (error["param"], error["code"]) == (param, code), query
    for query in CURSORS:
        answer = api.send("GET", f"{path}?{query}")
        assert answer.status == 400, query
        assert answer.error["param"] == query.partition("=")[0], query


def test_query_parameters_that_mean_nothing_are_ignored(api: Api):
    for query in ("color=red", "limit", "=1", "&&&", "%FF=%FE", "limit=&order=", "a" * 5_000):
        assert api.send("GET", f"/assistants?{query}").status == 200


def test_a_reset_in_the_middle_of_a_request_harms_nobody(api: Api):
    for cut in (b"GET /v1", request(b"POST", b"/v1/threads", b'{"metadata": {}}')[:-3]):
        raw = Raw(api.url)
        raw.send(cut)
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        raw.socket.close()

    assert api.send("GET", "/assistants?limit=1").status == 200


def test_many_idle_connections_keep_nobody_out(api: Api):
    idle = [Raw(api.url) for _ in range(300)]
    try:
        assert api.send("GET", "/assistants?limit=1").status == 200
    finally:
        for raw in idle:
            raw.socket.close()
