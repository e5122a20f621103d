"""The server killed while it reads files, and stores whose time is over."""

import json
import sqlite3
import time
from functools import partial

from tests.acceptance.scripted import Model, call, calls, text
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.drama import Starter
from tests.acceptance.wire.library import Shelf
from tests.acceptance.wire.talk import Api

LONG = b" ".join(b"The lighthouse keeper of Brindlemoor counts ship %d." % i for i in range(1_500))
QUICK = {"RUNSTEAD_LEASE_FOR": "2"}


def has_completed(shelf: Shelf, many: int) -> bool:
    return shelf.counts["completed"] >= many


def test_ingestion_that_was_killed_goes_on_to_its_end(starter: Starter):
    """Killed again and again, each time while something is being read."""
    shelf = Shelf.open(Api(starter(**QUICK).url))
    files = [shelf.add(LONG + b"number %d" % i) for i in range(12)]
    for done in (1, 4, 8):
        eventually(partial(has_completed, shelf, done))
        starter.running.kill()
        shelf = shelf.at(Api(starter(**QUICK).url))
    for file in files:
        assert shelf.ended(file)["status"] == "completed"
    assert shelf.counts == {"completed": 12, "in_progress": 0, "failed": 0, "cancelled": 0, "total": 12}
    # Each is in the index, and once.
    assert set(shelf.found("lighthouse", max_num_results=50)) <= set(files)
    for i, file in enumerate(files):
        content = shelf.api.get(f"{shelf.path}/files/{file}/content")["data"]
        assert content[-1]["text"].endswith(f"number {i}")
        assert content[0]["text"].startswith("The lighthouse keeper")
    texts = [(hit["file_id"], hit["content"][0]["text"]) for hit in shelf.search("keeper", max_num_results=50)]
    assert len(texts) == len(set(texts))
    assert starter.running.complaints == []


def test_a_batch_that_was_cancelled_stays_so_after_a_kill(starter: Starter):
    api = Api(starter(**QUICK).url)
    shelf = Shelf.open(api)
    other = Shelf.open(api)
    files = [other.add(LONG + b"%d" % i) for i in range(6)]
    batch = api.post(f"{shelf.path}/file_batches", {"file_ids": files})["id"]
    api.post(f"{shelf.path}/file_batches/{batch}/cancel")
    starter.running.kill()

    shelf = shelf.at(Api(starter(**QUICK).url))
    last = shelf.add(b"The last one.")
    assert shelf.ended(last)["status"] == "completed"
    seen = shelf.api.get(f"{shelf.path}/file_batches/{batch}")
    assert (seen["status"], seen["file_counts"]["in_progress"]) == ("cancelled", 0)
    completed = {file["id"] for file in shelf.api.get(f"{shelf.path}/files?filter=completed&limit=100")["data"]}
    assert set(shelf.found("lighthouse", max_num_results=50)) <= completed


def test_a_stop_gives_back_what_is_being_read(starter: Starter):
    """And a new process takes it at once, not when the old one's lease is over."""
    slow = {"RUNSTEAD_LEASE_FOR": "60"}
    shelf = Shelf.open(Api(starter(**slow).url))
    files = [shelf.add(LONG + b"%d" % i) for i in range(4)]
    assert starter.running.stop() == 0
    shelf = shelf.at(Api(starter(**slow).url))
    assert {shelf.ended(file)["status"] for file in files} == {"completed"}


def test_an_index_that_was_deleted_or_damaged_is_made_anew(starter: Starter):
    shelf = Shelf.open(Api(starter().url))
    files = [shelf.add(b"The lighthouse, part %d." % i, attributes={"n": i}) for i in range(3)]
    for file in files:
        assert shelf.ended(file)["status"] == "completed"
    index = starter.data_dir / "search.db"
    for damage in (None, b"This is no database."):
        starter.running.stop()
        for path in starter.data_dir.glob("search.db*"):
            path.unlink()
        if damage is not None:
            index.write_bytes(damage)
        shelf = shelf.at(Api(starter().url))
        eventually(partial(shelf.found, "lighthouse"), lambda found: set(found) == set(files))
        assert shelf.found("lighthouse", filters={"type": "eq", "key": "n", "value": 1}) == [files[1]]


def aged(starter: Starter, store: str, days: int) -> None:
    """Let a store have been used last so many days ago, while nobody serves it."""
    starter.running.stop()
    database = sqlite3.connect(starter.data_dir / "runstead.db")
    with database:
        found = database.execute(
            "UPDATE vector_stores SET last_active_at = last_active_at - ? WHERE id = ?",
            (days * 86_400, store),
        )
        assert found.rowcount == 1
    database.close()


def test_a_run_that_needs_an_expired_store_fails_and_says_so(starter: Starter, model: Model):
    api = Api(starter().url)
    shelf = Shelf.open(api, expires_after={"anchor": "last_active_at", "days": 1})
    shelf.ended(shelf.add(b"The lighthouse."))
    resources = {"file_search": {"vector_store_ids": [shelf.id]}}
    assistant = api.post(
        "/assistants", {"model": model.name, "tools": [{"type": "file_search"}], "tool_resources": resources}
    )["id"]
    thread = api.post("/threads", {"messages": [{"role": "user", "content": "Hello"}]})["id"]
    aged(starter, shelf.id, days=2)
    api = Api(starter().url)

    model.will(calls(call("file_search", json.dumps({"query": "lighthouse"}))), text("Found."))
    run = api.post(f"/threads/{thread}/runs", {"assistant_id": assistant})["id"]
    ended = eventually(
        lambda: api.get(f"/threads/{thread}/runs/{run}"), lambda run: run["status"] not in ("queued", "in_progress")
    )

    assert ended["status"] == "failed"
    assert f"The vector store {shelf.id} has expired" in ended["last_error"]["message"]
    assert api.get(shelf.path)["status"] == "expired"
    refused = api.send("POST", f"{shelf.path}/search", {"query": "lighthouse"})
    assert refused.status == 400
    assert "expired" in refused.message


def test_an_attachment_s_store_lives_for_seven_days_after_its_last_use(starter: Starter):
    api = Api(starter().url)
    shelf = Shelf.open(api)
    file = shelf.add(b"The lighthouse.")
    attachment = {"file_id": file, "tools": [{"type": "file_search"}]}
    thread = api.post("/threads", {"messages": [{"role": "user", "content": "Hi", "attachments": [attachment]}]})
    [store] = api.get(f"/threads/{thread['id']}")["tool_resources"]["file_search"]["vector_store_ids"]
    made = api.get(f"/vector_stores/{store}")
    assert made["expires_after"] == {"anchor": "last_active_at", "days": 7}
    assert made["expires_at"] == made["last_active_at"] + 7 * 86_400
    assert abs(made["created_at"] - time.time()) < 3600
    theirs = Shelf(api, store)
    assert theirs.ended(file)["status"] == "completed"
    assert theirs.found("lighthouse") == [file]
