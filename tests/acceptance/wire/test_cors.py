"""Pages in browsers: nobody's by default, those of the setting otherwise."""

from tests.acceptance.wire.talk import Api

PAGE = "https://app.example.com"


def preflight(api: Api, origin: str):
    return api.send(
        "OPTIONS",
        "/threads",
        origin=origin,
        access_control_request_method="POST",
        access_control_request_headers="authorization, content-type, openai-beta, x-stainless-lang",
    )


def allowances(answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


def test_no_page_may_read_answers_by_default(api: Api):
    assert allowances(api.send("GET", "/assistants?limit=1", origin="http://localhost:3000")) == {}
    assert preflight(api, "http://localhost:3000").status == 405
    assert preflight(api, PAGE).status == 403


def test_the_pages_of_the_setting_may(starter):
    api = Api(starter(RUNSTEAD_CORS_ORIGINS=f"{PAGE}, http://localhost:3000").url)

    asked = preflight(api, PAGE)
    answer = api.send("POST", "/threads", {}, origin=PAGE)
    refusal = api.send("GET", "/nowhere", origin=PAGE)

    assert asked.status == 200
    assert asked.headers["access-control-allow-origin"] == PAGE
    assert "POST" in asked.headers["access-control-allow-methods"]
    assert "openai-beta" in asked.headers["access-control-allow-headers"]
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "x-request-id" in answer.headers["access-control-expose-headers"]
    assert refusal.headers["access-control-allow-origin"] == PAGE


def test_other_pages_may_not(starter):
    api = Api(starter(RUNSTEAD_CORS_ORIGINS=PAGE).url)

    assert preflight(api, "https://evil.example.com").status == 400
    assert "access-control-allow-origin" not in preflight(api, "https://evil.example.com").headers
    assert (
        allowances(api.send("POST", "/threads", {}, origin="https://evil.example.com")).get(
            "access-control-allow-origin"
        )
        is None
    )
    assert api.send("POST", "/threads", {}, origin="https://evil.example.com").status == 403


def test_with_keys_a_page_may_come_without_its_key_to_ask_whether_it_may_come(starter):
    api = Api(starter(RUNSTEAD_CORS_ORIGINS=PAGE, RUNSTEAD_API_KEYS="key").url)

    assert preflight(api, PAGE).status == 200
    assert api.send("POST", "/threads", {}, origin=PAGE).headers["access-control-allow-origin"] == PAGE
    assert api.send("POST", "/threads", {}, origin=PAGE).status == 401
