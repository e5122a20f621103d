"""Lists, page by page, against a model of them: a list in order of creation, whatever the timestamps say."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.acceptance.processes import start_server
from tests.acceptance.scripted import Json, ScriptedServer, call, calls, text
from tests.acceptance.wire.drama import Drama
from tests.acceptance.wire.talk import Api

COUNT = 23
KINDS = ["assistants", "messages", "runs", "steps"]


@pytest.fixture(scope="module")
def lists(
    scripted: ScriptedServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[Api, str, list[str]]]]:
    """Of every kind: where it is listed, and the ids in order of creation."""
    model = scripted.model("pages")
    with start_server(tmp_path_factory.mktemp("pages"), scripted.url) as server:
        api = Api(server.url)
        drama = Drama.open(api, model)
        thread = api.post("/threads")["id"]
        messages = [
            api.post(f"/threads/{thread}/messages", {"role": "user", "content": "x"})["id"] for _ in range(COUNT)
        ]
        runs = []
        for _ in range(COUNT):
            model.will(text("done"))
            runs.append(drama.start()["id"])
            drama.ended(runs[-1])
        model.will(*[calls(call("look"))] * (COUNT - 1), text("done"))
        long = drama.start()["id"]
        while (run := drama.rested(long))["status"] == "requires_action":
            drama.submit(run)
        steps = [step["id"] for step in drama.steps(long)]
        assert len(steps) == COUNT
        others = [api.post("/assistants", {"model": "m"})["id"] for _ in range(COUNT - 1)]
        yield {
            "assistants": (api, "/assistants", [drama.assistant, *others]),
            "messages": (api, f"/threads/{thread}/messages", messages),
            "runs": (api, f"{drama.path}/runs", [*runs, long]),
            "steps": (api, f"{drama.path}/runs/{long}/steps", steps),
        }
        assert server.stop() == 0
        assert server.complaints == []


def expected(ids: list[str], limit: int, order: str, after: int | None, before: int | None) -> Json:
    """Exclusive cursors on the list in the asked order, and as many as the limit from the first between them."""
    ordered = ids if order == "asc" else ids[::-1]
    start = 0 if after is None else ordered.index(ids[after]) + 1
    end = len(ordered) if before is None else ordered.index(ids[before])
    between = ordered[start:end]
    page = between[:limit]
    first, last = (page[0], page[-1]) if page else (None, None)
    return {"object": "list", "ids": page, "first_id": first, "last_id": last, "has_more": len(between) > len(page)}


places = st.none() | st.integers(0, COUNT - 1)


@pytest.mark.parametrize("kind", KINDS)
@seed(20260826)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None)
@given(limit=st.integers(1, COUNT + 2), order=st.sampled_from(["asc", "desc"]), after=places, before=places)
def test_a_page_is_what_the_cursors_say(lists, kind, limit, order, after, before):
    api, path, ids = lists[kind]
    cursors = {"after": after, "before": before}
    query = "&".join(f"{name}={ids[place]}" for name, place in cursors.items() if place is not None)

    page = api.get(f"{path}?limit={limit}&order={order}&{query}")

    assert set(page) == {"object", "data", "first_id", "last_id", "has_more"}
    shown: dict[str, Any] = {name: page[name] for name in ("object", "first_id", "last_id", "has_more")}
    assert {**shown, "ids": [item["id"] for item in page["data"]]} == expected(ids, limit, order, after, before)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 5, COUNT - 1, COUNT, COUNT + 1])
def test_a_client_that_never_looks_at_has_more_finds_everything_once_and_then_nothing(lists, kind, order, limit):
    api, path, ids = lists[kind]
    found: list[str] = []
    page = api.get(f"{path}?limit={limit}&order={order}")
    while page["data"]:
        found += [item["id"] for item in page["data"]]
        page = api.get(f"{path}?limit={limit}&order={order}&after={page['last_id']}")

    assert found == (ids if order == "asc" else ids[::-1])
    assert page == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


@pytest.mark.parametrize("kind", KINDS)
def test_twenty_come_by_default_the_newest_first(lists, kind):
    api, path, ids = lists[kind]
    page = api.get(path)

    assert [item["id"] for item in page["data"]] == ids[::-1][:20]
    assert page["has_more"] is True


@pytest.mark.parametrize("kind", KINDS)
def test_many_have_the_same_timestamp(lists, kind):
    # Without this the test above would prove nothing about ties.
    api, path, ids = lists[kind]
    moments = [item["created_at"] for item in api.get(f"{path}?limit=100")["data"]]

    assert len(set(moments)) < len(ids)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cursor", ["after", "before"])
def test_a_cursor_that_is_of_another_list_is_refused(lists, kind, cursor):
    api, path, _ = lists[kind]
    foreign = lists[KINDS[KINDS.index(kind) - 1]][2][0]

    answer = api.send("GET", f"{path}?{cursor}={foreign}")

    assert answer.status == 400
    assert answer.error["param"] == cursor
    assert foreign in answer.message


def test_a_page_after_a_deleted_message_goes_on_where_it_stood(lists):
    api, _, _ = lists["messages"]
    thread = api.post("/threads", {"messages": [{"role": "user", "content": "x"}] * 3})["id"]
    path = f"/threads/{thread}/messages"
    oldest, middle, newest = (message["id"] for message in api.get(f"{path}?order=asc")["data"])
    api.delete(f"{path}/{middle}")

    assert [message["id"] for message in api.get(f"{path}?after={middle}")["data"]] == [oldest]
    assert [message["id"] for message in api.get(f"{path}?order=asc&after={middle}")["data"]] == [newest]
    assert [message["id"] for message in api.get(path)["data"]] == [newest, oldest]
    other = api.post("/threads")["id"]
    assert api.send("GET", f"/threads/{other}/messages?after={middle}").status == 400


def test_messages_can_be_asked_for_by_run(lists):
    api, path, ids = lists["runs"]
    messages = path.replace("/runs", "/messages")

    assert [message["run_id"] for message in api.get(f"{messages}?run_id={ids[3]}")["data"]] == [ids[3]]
    assert api.get(f"{messages}?run_id=run_unknown")["data"] == []
