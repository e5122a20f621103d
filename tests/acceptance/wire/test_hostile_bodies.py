"""Bodies that nobody should send: refused in the API's words, with nothing written, by a server that goes on."""

import json
from collections.abc import Iterator

import pytest

from tests.acceptance.processes import Server
from tests.acceptance.scripted import Model, ScriptedServer, call, calls
from tests.acceptance.wire.drama import Drama
from tests.acceptance.wire.talk import Api

MIB = 2**20
DEEP = 100_000


@pytest.fixture(scope="module")
def waiting(api: Api, scripted: ScriptedServer) -> Iterator[tuple[Drama, str]]:
    """A run that waits for its client, so that every operation has something to write to."""
    model = scripted.model("waits-for-outputs")
    model.will(calls(call("look", id="call_1")))
    drama = Drama.open(api, model)
    run = drama.rested(drama.start()["id"])
    yield drama, run["id"]
    drama.cancel(run["id"])


# Every POST that reads its body; %s stands for a string, or for what a hostile client puts in its place.
OPERATIONS = {
    "/assistants": '{"model": "m", "name": %s}',
    "/assistants/{assistant}": '{"name": %s}',
    "/threads": '{"messages": [{"role": "user", "content": %s}]}',
    "/threads/runs": '{"assistant_id": "{assistant}", "instructions": %s}',
    "/threads/{thread}": '{"metadata": {"k": %s}}',
    "/threads/{thread}/messages": '{"role": "user", "content": %s}',
    "/threads/{thread}/messages/{message}": '{"metadata": {"k": %s}}',
    "/threads/{thread}/runs": '{"assistant_id": "{assistant}", "instructions": %s}',
    "/threads/{thread}/runs/{run}": '{"metadata": {"k": %s}}',
    "/threads/{thread}/runs/{run}/submit_tool_outputs": '{"tool_outputs": [{"tool_call_id": "call_1", "output": %s}]}',
}
# Where a thread in use would be refused for its lock, an idle one shows what the body is refused for.
NEEDS_IDLE = frozenset({"/threads/{thread}/messages", "/threads/{thread}/runs"})

WHOLE = {
    "nothing of JSON": b"hello",
    "cut off": b'{"metadata": {"a": "b"',
    "two values": b"{} {}",
    "a trailing comma": b'{"metadata": {},}',
    "an array": b"[]",
    "an array of objects": b"[{}]",
    "a string": b'"metadata"',
    "a number": b"1",
    "true": b"true",
    "not a number": b"NaN",
    "invalid UTF-8 between the tokens": b'{"metadata": \xff}',
    "UTF-16": '{"metadata": {}}'.encode("utf-16"),
    "a NUL byte": b"{}\0",
    "deep arrays": b"[" * DEEP + b"]" * DEEP,
    "deep arrays without an end": b"[" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep metadata": b'{"metadata": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
    "a key of a mebibyte": b'{"' + b"k" * MIB + b'": 1}',
    "a million keys": b"{" + b",".join(b'"%d":1' % number for number in range(1_000_000)) + b"}",
}
INSIDE = {
    "a lone surrogate": rb'"\ud800"',
    "surrogates in the wrong order": rb'"\udc00\ud800"',
    "invalid UTF-8": b'"\xff\xfe"',
    "an overlong encoding": b'"\xc0\xaf"',
    "an encoded surrogate": b'"\xed\xa0\x80"',
    "U+0000": rb'"a\u0000b"',
    "a raw control character": b'"a\nb"',
    "a wrong escape": rb'"\x41"',
    "an infinite number": b"1e999",
    "a number of a hundred digits": b"1" * 100,
    "a number of a hundred thousand digits": b"1" * 100_000,
    "a tiny number": b"1e-999",
    "an object": b'{"a": "b"}',
    "nested arrays": b"[" * 50 + b"]" * 50,
}


def body_of(operation: str, drama: Drama, inside: bytes) -> bytes:
    template = OPERATIONS[operation].replace("{assistant}", drama.assistant).encode()
    return template.replace(b"%s", inside)


def path_of(operation: str, waiting: tuple[Drama, str], idle: str) -> str:
    drama, run = waiting
    message = drama.api.get(f"{drama.path}/messages")["data"][-1]["id"]
    thread = idle if operation in NEEDS_IDLE else drama.thread
    return operation.format(assistant=drama.assistant, thread=thread, message=message, run=run)


@pytest.fixture(scope="module")
def idle(api: Api) -> str:
    """A thread without a run."""
    return str(api.post("/threads")["id"])


def everything(api: Api, waiting: tuple[Drama, str], idle: str) -> list[object]:
    drama, run = waiting
    return [
        api.get("/assistants"),
        api.get(f"/assistants/{drama.assistant}"),
        api.get(drama.path),
        api.get(f"{drama.path}/messages"),
        api.get(f"{drama.path}/runs/{run}"),
        api.get(f"/threads/{idle}/messages"),
        api.get(f"/threads/{idle}/runs"),
    ]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_body_that_cannot_be_read_is_refused_and_writes_nothing(api, waiting, idle, operation):
    path = path_of(operation, waiting, idle)
    before = everything(api, waiting, idle)

    for kind, body in WHOLE.items():
        answer = api.send("POST", path, body)
        assert answer.status == 400, (kind, answer)
        assert answer.message, kind
        assert len(answer.body) < 1_000, kind

    assert everything(api, waiting, idle) == before


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_value_that_cannot_be_kept_is_refused_and_writes_nothing(api, waiting, idle, operation):
    path = path_of(operation, waiting, idle)
    before = everything(api, waiting, idle)

    for kind, inside in INSIDE.items():
        answer = api.send("POST", path, body_of(operation, waiting[0], inside))
        assert answer.status == 400, (kind, answer)
        assert answer.message, kind
        assert len(answer.body) < 1_000, kind

    assert everything(api, waiting, idle) == before


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json"]
)
def test_a_body_that_does_not_say_that_it_is_json_is_refused(api, waiting, idle, operation, content_type):
    body = body_of(operation, waiting[0], b'"fine"')
    before = everything(api, waiting, idle)

    answer = api.send("POST", path_of(operation, waiting, idle), body, content_type=content_type)

    assert answer.status == 400
    assert "application/json" in answer.message
    assert everything(api, waiting, idle) == before


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON", "application/json;"])
def test_a_content_type_may_have_parameters_and_any_case(api, content_type):
    answer = api.send("POST", "/assistants", b'{"model": "m"}', content_type=content_type)

    assert answer.status == 200


def test_of_a_repeated_key_the_last_counts(api):
    answer = api.send("POST", "/threads", b'{"metadata": {"a": "1", "a": "2"}, "metadata": {"b": "3", "b": "4"}}')

    assert answer.json["metadata"] == {"b": "4"}


def test_text_outside_the_basic_plane_is_kept_as_it_was_sent(api):
    words = "🦊 \U0010ffff é \u202e \x7f 𝄞"

    assistant = api.post("/assistants", {"model": words, "name": words, "metadata": {words: words}})

    assert [assistant["model"], assistant["name"], assistant["metadata"]] == [words, words, {words: words}]
    assert api.get(f"/assistants/{assistant['id']}") == assistant


def test_the_body_of_a_cancellation_is_not_read(api, model: Model):
    model.will({"text": "never", "hold_before": 1})
    for body in (b"null", b"", b"{nonsense", b"\xff" * 1000):
        drama = Drama.open(api, model)
        run = drama.start()["id"]

        assert api.send("POST", f"{drama.path}/runs/{run}/cancel", body).status == 200
        assert drama.ended(run)["status"] == "cancelled"


def test_a_get_with_a_body_is_answered_as_one_without(api):
    assert api.send("GET", "/assistants?limit=1", b"{nonsense").status == 200


def test_the_largest_message_is_kept_whole(api):
    words = "é" * 256_000
    thread = api.post("/threads", {"messages": [{"role": "user", "content": words}]})["id"]

    message = api.get(f"/threads/{thread}/messages")["data"][0]

    assert message["content"][0]["text"]["value"] == words


def test_hostile_bodies_leave_no_trace_in_memory(server: Server, api):
    from tests.acceptance.wire.talk import resident

    bodies = [json.dumps({"model": "m", "metadata": {"k": "x" * MIB}}).encode(), *WHOLE.values()]
    for body in bodies:
        api.send("POST", "/assistants", body)
    settled = resident(server.process.pid)

    for _ in range(3):
        for body in bodies:
            assert api.send("POST", "/assistants", body).status == 400

    assert resident(server.process.pid) < settled + 64 * MIB
