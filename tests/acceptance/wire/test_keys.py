"""Who may call: holders of a key where keys are set, and otherwise only this machine."""

import base64
from collections.abc import Iterator

import pytest

from tests.acceptance.processes import DidNotStart, Server, start_server
from tests.acceptance.scripted import ScriptedServer
from tests.acceptance.wire.talk import Api, Raw, request

KEYS = ["sk-first-of-the-keys-abcd", "second", "t#i=r:d/"]
WRONG = {
    "sk-wrong-key-that-is-long-WXYZ": "sk-...WXYZ",
    "another-key-that-is-long-enough-1234": "...1234",
    "short": "***",
    "sk-short": "***",
    "sk-first-of-the-keys-abc": "sk-...-abc",
    "sk-first-of-the-keys-abcde": "sk-...bcde",
    "SK-FIRST-OF-THE-KEYS-ABCD": "...ABCD",
}


@pytest.fixture(scope="module")
def guarded(scripted: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that knows three keys."""
    data_dir = tmp_path_factory.mktemp("guarded")
    with start_server(data_dir, scripted.url, RUNSTEAD_API_KEYS=", ".join(KEYS)) as running:
        yield running
        assert running.stop() == 0
        assert running.complaints == []


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("scheme", ["Bearer %s", "bearer %s", "BEARER   %s  "])
def test_every_key_is_accepted_as_a_bearer(guarded: Server, key, scheme):
    with Raw(guarded.url) as raw:
        raw.send(request(b"GET", b"/v1/assistants", b"", f"Authorization: {scheme % key}".encode()))

        assert raw.read().status == 200


@pytest.mark.parametrize("user", ["", "anybody"])
def test_a_key_is_accepted_as_a_password(guarded: Server, user):
    assert Api(guarded.url, {"authorization": basic(user, KEYS[0])}).send("GET", "/assistants").status == 200


@pytest.mark.parametrize(("key", "shown"), WRONG.items())
def test_a_wrong_key_is_refused_and_shown_masked(guarded: Server, key, shown):
    answer = Api(guarded.url, {"authorization": f"Bearer {key}"}).send("GET", "/assistants")

    assert answer.status == 401
    assert answer.error["code"] == "invalid_api_key"
    assert answer.message.startswith(f"Incorrect API key provided: {shown}. ")
    assert key not in answer.message


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"\xff\xfe").decode(),
        "Digest x",
        KEYS[0],
    ],
)
def test_without_a_key_the_answer_says_where_to_put_one(guarded: Server, authorization):
    answer = Api(guarded.url, {"authorization": authorization}).send("GET", "/assistants")

    assert answer.status == 401
    assert answer.error["code"] is None
    assert answer.message.startswith("You didn't provide an API key.")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/threads"),
        ("GET", "/nowhere"),
        ("DELETE", "/assistants"),
        ("GET", "/models"),
        ("POST", "/threads/runs"),
    ],
)
def test_nothing_is_told_or_done_before_the_key_is_known(guarded: Server, method, path):
    assert Api(guarded.url).send(method, path, b"{nonsense").status == 401


def test_the_health_of_a_guarded_server_is_no_secret(guarded: Server):
    assert [Api(guarded.url).send("GET", path).status for path in ("//healthz", "//readyz")] == [200, 200]


def test_with_keys_it_does_not_matter_where_a_caller_comes_from(guarded: Server):
    api = Api(
        guarded.url, {"authorization": f"Bearer {KEYS[0]}", "host": "api.example.com", "origin": "https://example.com"}
    )

    assert api.send("GET", "/assistants").status == 200


def test_keys_are_never_logged(guarded: Server):
    Api(guarded.url, {"authorization": f"Bearer {KEYS[0]}"}).send("GET", "/assistants")
    Api(guarded.url, {"authorization": "Bearer sk-wrong-key-never-logged"}).send("GET", "/assistants")

    assert KEYS[0] not in guarded.log
    assert "never-logged" not in guarded.log
    assert KEYS[0] not in guarded.banner


LOCAL_HOSTS = [
    "localhost",
    "localhost:8000",
    "LOCALHOST",
    "127.0.0.1",
    "127.0.0.2:1",
    "[::1]",
    "[::1]:8000",
    "localhost.",
]
FOREIGN_HOSTS = [
    "example.com",
    "localhost.example.com",
    "127.0.0.1.example.com",
    "10.0.0.1:8000",
    "[2001:db8::1]",
    "[::1",
    "@",
    "a b",
]


@pytest.mark.parametrize("host", LOCAL_HOSTS)
def test_without_keys_a_local_name_is_served(api: Api, host):
    assert api.send("GET", "/assistants?limit=1", host=host).status == 200


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_without_keys_a_name_that_somebody_made_resolve_to_here_is_refused(api: Api, host):
    answer = api.send("POST", "/threads", {}, host=host)

    assert answer.status == 403
    assert f"The Host '{host}' is not served" in answer.message


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1", "https://[::1]:1"])
def test_without_keys_a_page_of_this_machine_is_served(api: Api, origin):
    assert api.send("GET", "/assistants?limit=1", origin=origin).status == 200


@pytest.mark.parametrize(
    "origin", ["https://example.com", "http://localhost.example.com", "null", "file://", "localhost", "//"]
)
def test_without_keys_a_page_of_elsewhere_is_refused(api: Api, origin):
    answer = api.send("POST", "/threads", {}, origin=origin)

    assert answer.status == 403
    assert "Origin" in answer.message


@pytest.mark.parametrize("authorization", ["Bearer anything", "Bearer", "Basic !!!", "nonsense", "Bearer \xff"])
def test_without_keys_the_authorization_is_not_looked_at(api: Api, authorization):
    assert api.send("GET", "/assistants?limit=1", authorization=authorization).status == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_server_for_everybody_does_not_start_without_keys(starter, host):
    with pytest.raises(DidNotStart) as refusal:
        starter("--host", host)

    assert "can be reached from other machines and RUNSTEAD_API_KEYS is not set" in str(refusal.value)
    assert "serve on 127.0.0.1" in str(refusal.value)
    assert "Traceback" not in str(refusal.value)


def test_a_server_for_everybody_starts_with_keys(starter):
    server = starter("--host", "0.0.0.0", RUNSTEAD_API_KEYS="key")
    api = Api(server.url.replace("0.0.0.0", "127.0.0.1"))

    assert api.send("GET", "/assistants").status == 401
    assert api.send("GET", "/assistants", authorization="Bearer key").status == 200
