"""`GET /v1/threads`: an extension, for those who look after many conversations."""

import secrets

from tests.acceptance.wire.talk import Api


def ids(api: Api, query: str) -> list[str]:
    return [thread["id"] for thread in api.get(f"/threads?{query}")["data"]]


def test_threads_are_found_by_their_metadata(api: Api):
    user = secrets.token_hex(8)
    made = [api.post("/threads", {"metadata": {"user": user, "number": str(n)}})["id"] for n in range(3)]

    assert ids(api, f"metadata[user]={user}") == made[::-1]
    assert ids(api, f"metadata%5Buser%5D={user}&order=asc") == made
    assert ids(api, f"metadata[user]={user}&metadata[number]=1") == [made[1]]
    assert ids(api, f"metadata[user]={user}&metadata[number]=4") == []
    assert ids(api, f"metadata[user]={user}&limit=1&after={made[2]}") == [made[1]]


def test_all_threads_are_listed_newest_first(api: Api):
    newest = api.post("/threads", {"metadata": {"a": "ä & b"}})

    page = api.with_headers(OpenAI_Beta="assistants=v1").get("/threads?limit=1")
    assert (page["object"], page["first_id"]) == ("list", newest["id"])
    assert page["data"][0]["metadata"] == {"a": "ä & b"}
    assert "tool_resources" not in page["data"][0]
    assert api.get("/threads?limit=1")["data"] == [newest]
    assert ids(api, "limit=1&metadata[a]=%C3%A4%20%26%20b") == [newest["id"]]


def test_a_deleted_thread_is_listed_no_more(api: Api):
    user = secrets.token_hex(8)
    gone, kept = (api.post("/threads", {"metadata": {"user": user}})["id"] for _ in range(2))
    api.delete(f"/threads/{gone}")

    assert ids(api, f"metadata[user]={user}") == [kept]


def test_wrong_questions_are_refused(api: Api):
    assert api.send("GET", "/threads?limit=101").error["param"] == "limit"
    assert api.send("GET", "/threads?metadata[a]=%00").error["param"] == "metadata"
    assert api.send("GET", "/threads?after=thread_nobody").status == 400
