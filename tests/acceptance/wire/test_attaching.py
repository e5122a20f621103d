"""Attaching to a run's events: from the beginning, after an event, after the end, and after the server forgot them."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager

from tests.acceptance.scripted import call, calls, text
from tests.acceptance.wire.drama import Drama
from tests.acceptance.wire.talk import Api, Stream, address, note

WORDS = "one two three four five six"


@contextmanager
def attached(api: Api, drama: Drama, run: str, **headers: str) -> Iterator[Stream]:
    """The run's events as they come."""
    connection = http.client.HTTPConnection(*address(api.url), timeout=20)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    path = f"/v1{drama.path}/runs/{run}/stream"
    try:
        connection.request("GET", path, headers=sent)
        yield (stream := Stream(connection.getresponse()))
        note("GET", path, sent, stream)
    finally:
        connection.close()


def all_events(api, drama, run, **headers):
    with attached(api, drama, run, **headers) as stream:
        assert stream.status == 200
        return stream.rest()


def started(drama, **options):
    with drama.api.stream(f"{drama.path}/runs", {"assistant_id": drama.assistant, **options}) as stream:
        return stream.rest()


def test_a_finished_run_is_replayed_as_it_was_told(api, drama):
    drama.model.will(text(WORDS))
    told = started(drama)
    assert all_events(api, drama, told[0].json["id"]) == told


def test_a_reader_that_left_in_the_middle_misses_nothing(api, drama):
    drama.model.will(text(WORDS, hold_before=3))
    with drama.api.stream(f"{drama.path}/runs", {"assistant_id": drama.assistant}) as stream:
        stream.until("thread.message.delta")
        drama.model.wait(held=1)
        run, last = stream.seen[0].json["id"], stream.seen[-1]
    drama.model.release()
    rest = all_events(api, drama, run, Last_Event_ID=last.id)
    assert [event.place for event in rest[:-1]] == sorted(event.place for event in rest[:-1])
    whole = all_events(api, drama, run)
    assert whole == [*stream.seen, *rest]
    assert rest[-1].name == "done"


def test_a_live_run_is_followed_to_its_end(api, drama):
    drama.model.will(text(WORDS, hold_before=3))
    run = drama.start()["id"]
    with attached(api, drama, run) as stream:
        stream.until("thread.message.delta")
        drama.model.release()
        assert [event.name for event in stream.rest()][-2:] == ["thread.run.completed", "done"]


def test_an_action_that_was_taken_does_not_end_the_replay(api, drama):
    drama.model.will(calls(call("look")), text("Done."))
    run = drama.rested(drama.start()["id"])
    waiting = all_events(api, drama, run["id"])
    assert [event.name for event in waiting][-2:] == ["thread.run.requires_action", "done"]
    drama.submit(run)
    drama.ended(run["id"])
    whole = all_events(api, drama, run["id"])
    assert whole[: len(waiting) - 1] == waiting[:-1]
    assert [event.name for event in whole][-2:] == ["thread.run.completed", "done"]


def test_a_reader_that_saw_the_end_is_told_the_end_again(api, drama):
    drama.model.will(text(WORDS))
    told = started(drama)
    again = all_events(api, drama, told[0].json["id"], Last_Event_ID=told[-2].id)
    assert [event.name for event in again] == ["thread.run.completed", "done"]


def test_what_the_server_has_forgotten_is_rebuilt_from_what_is_stored(starter, model):
    drama = Drama.open(Api(starter().url), model)
    model.will(calls(call("look")), text(WORDS))
    run = drama.rested(drama.start()["id"])
    drama.submit(run)
    drama.ended(run["id"])
    starter.running.stop()

    drama = drama.at(Api(starter().url))
    events = all_events(drama.api, drama, run["id"])
    assert {event.id for event in events} == {None}
    assert [event.name for event in events if event.name.startswith("thread.run.") and "step" not in event.name] == [
        "thread.run.created",
        "thread.run.queued",
        "thread.run.in_progress",
        "thread.run.completed",
    ]
    [message] = [event.json for event in events if event.name == "thread.message.completed"]
    assert message["content"][0]["text"]["value"] == WORDS
    steps = [event.json for event in events if event.name == "thread.run.step.completed"]
    assert steps == drama.steps(run["id"])


def test_v1_readers_are_shown_v1_events(api, drama):
    drama.model.will(text(WORDS, finish_reason="length"))
    run = drama.ended(drama.start()["id"])
    assert run["status"] == "incomplete"
    events = all_events(api, drama, run["id"], OpenAI_Beta="assistants=v1")
    assert [event.name for event in events][-2:] == ["thread.run.failed", "done"]
    assert events[-2].json["file_ids"] == []


def test_an_id_that_is_none_is_refused(api, drama):
    drama.model.will(text(WORDS))
    run = drama.ended(drama.start()["id"])
    answer = api.send("GET", f"{drama.path}/runs/{run['id']}/stream", last_event_id="yesterday")
    assert answer.status == 400
    assert answer.error["param"] == "Last-Event-ID"


def test_a_run_of_another_thread_is_not_found(api, drama):
    drama.model.will(text(WORDS))
    run = drama.ended(drama.start()["id"])
    other = api.post("/threads")["id"]
    answer = api.send("GET", f"/threads/{other}/runs/{run['id']}/stream")
    assert answer.status == 404
    assert answer.message == f"No run found with id '{run['id']}'."
