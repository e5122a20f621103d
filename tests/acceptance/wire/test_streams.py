"""Streams over raw HTTP: their framing, their order, and that no reader matters to the run."""

import json
from contextlib import suppress
from pathlib import Path

import pytest

from tests.acceptance.processes import Server
from tests.acceptance.scripted import Json, call, calls, refusal, text
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.drama import Drama, outputs, stalled
from tests.acceptance.wire.talk import Event, Raw, request, resident

MIB = 2**20
PLAIN = [
    "thread.run.created",
    "thread.run.queued",
    "thread.run.in_progress",
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
    "thread.message.completed",
    "thread.run.step.completed",
    "thread.run.completed",
    "done",
]


def read_to_end(drama: Drama, path: str | None = None, body: Json | None = None) -> list[Event]:
    with drama.api.stream(path or f"{drama.path}/runs", body or {"assistant_id": drama.assistant}) as stream:
        assert stream.status == 200
        return stream.rest()


def names(events: list[Event]) -> list[str]:
    return list(dict.fromkeys(event.name for event in events))


def test_events_have_one_line_each_ids_that_rise_and_an_end(drama: Drama):
    # Line ends and blanks in the text are what could break a frame.
    drama.model.will(text("a\nb\r\nc\u2028d\u0085 \n\n event: done\ndata: [DONE]\n\n é🦊"))

    events = read_to_end(drama)

    assert names(events) == PLAIN
    *told, done = events
    assert (done.id, done.data) == (None, "[DONE]")
    places = [event.place for event in told]
    assert places == sorted(set(places))
    assert all(isinstance(event.json, dict) for event in told)
    said = "".join(event.json["delta"]["content"][0]["text"]["value"] for event in told if event.name.endswith("delta"))
    assert said == drama.said()[-1] == "a\nb\r\nc\u2028d\u0085 \n\n event: done\ndata: [DONE]\n\n é🦊"


def test_a_thread_and_a_run_in_one_request_begin_with_the_thread(drama: Drama):
    drama.model.will(text("Hi"))

    events = read_to_end(drama, "/threads/runs")

    assert names(events) == ["thread.created", *PLAIN]
    assert drama.api.get(f"/threads/{events[0].json['id']}") == events[0].json


def test_a_stream_rests_where_the_client_is_needed_and_goes_on_where_it_answers(drama: Drama):
    drama.model.will(calls(call("look", '{"at": "fox"}', id="call_1")), text("Seen"))

    first = read_to_end(drama)
    run = first[-2].json
    second = read_to_end(drama, f"{drama.path}/runs/{run['id']}/submit_tool_outputs", outputs(run))

    assert [event.name for event in first[-2:]] == ["thread.run.requires_action", "done"]
    assert [event.name for event in second[:3]] == [
        "thread.run.step.completed",
        "thread.run.queued",
        "thread.run.in_progress",
    ]
    assert second[-2].name == "thread.run.completed"
    places = [event.place for event in [*first[:-1], *second[:-1]]]
    assert places == sorted(set(places))


def test_a_terminal_event_is_stored_before_it_is_told(drama: Drama):
    drama.model.will(text("Hi"))
    with drama.api.stream(f"{drama.path}/runs", {"assistant_id": drama.assistant}) as stream:
        told = stream.until("thread.run.completed").json

        assert drama.run(told["id"]) == told
        assert drama.is_free()


REFUSED_BEFORE: dict[str, tuple[str, Json, int]] = {
    "an unknown assistant": ("/threads/{thread}/runs", {"assistant_id": "asst_x"}, 404),
    "an unknown thread": ("/threads/thread_x/runs", {"assistant_id": "{assistant}"}, 404),
    "an unknown parameter": ("/threads/{thread}/runs", {"assistant_id": "{assistant}", "nonsense": 1}, 400),
    "a thread and an unknown assistant": ("/threads/runs", {"assistant_id": "asst_x"}, 404),
    "an unknown run": ("/threads/{thread}/runs/run_x/submit_tool_outputs", {"tool_outputs": []}, 404),
}


@pytest.mark.parametrize("kind", REFUSED_BEFORE)
def test_what_is_refused_before_the_first_event_is_no_stream(drama: Drama, kind):
    path, body, status = REFUSED_BEFORE[kind]
    body = {
        name: str(value).format(assistant=drama.assistant) if name == "assistant_id" else value
        for name, value in body.items()
    }

    answer = drama.api.send("POST", path.format(thread=drama.thread), {**body, "stream": True})

    assert answer.status == status
    assert answer.message


def test_a_lock_is_refused_before_the_first_event(drama: Drama):
    drama.model.will(text("one two", hold_before=1))
    run = drama.start()["id"]

    answer = drama.api.send("POST", f"{drama.path}/runs", {"assistant_id": drama.assistant, "stream": True})

    assert answer.status == 400
    assert answer.message == f"Thread {drama.thread} already has an active run {run}."
    drama.cancel(run)
    assert drama.ended(run)["status"] == "cancelled"


def test_a_stream_of_a_run_that_fails_ends_with_the_failed_run(drama: Drama):
    drama.model.will(refusal(401, "No such key"))

    events = read_to_end(drama)

    assert [event.name for event in events[-2:]] == ["thread.run.failed", "done"]
    assert "RUNSTEAD_MODEL_KEY" in events[-2].json["last_error"]["message"]


def test_a_stream_of_a_run_that_somebody_else_cancels_ends_with_the_cancelled_run(drama: Drama):
    drama.model.will(text("one two three", hold_before=2))
    with drama.api.stream(f"{drama.path}/runs", {"assistant_id": drama.assistant}) as stream:
        run = stream.until("thread.run.created").json["id"]
        stream.until("thread.message.delta")
        drama.cancel(run)
        rest = [event.name for event in stream.rest()]

    assert rest[-5:] == [
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
        "done",
    ]


def test_the_run_goes_on_when_its_reader_leaves(drama: Drama):
    drama.model.will(text("one two three", hold_before=1))
    with drama.api.stream(f"{drama.path}/runs", {"assistant_id": drama.assistant}) as stream:
        run = stream.until("thread.run.created").json["id"]
        drama.model.wait(held=1)
    drama.model.release()

    assert drama.ended(run)["status"] == "completed"
    assert drama.said() == ["Hello", "one two three"]
    assert [call["aborted"] for call in drama.model.calls] == [False]


def test_readers_that_leave_at_once_leave_nothing_behind(server: Server, drama: Drama):
    drama.model.will(text("Hi"), repeat=True)
    body = json.dumps({"assistant_id": drama.assistant, "stream": True}).encode()
    for _ in range(30):
        with Raw(drama.api.url) as raw:
            raw.send(request(b"POST", b"/v1/threads/runs", body))

    assert eventually(lambda: _sockets_of(server), lambda count: count < 20)


def _sockets_of(server: Server) -> int:
    found = 0
    for link in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found += link.readlink().name.startswith("socket:")
    return found


def test_a_reader_that_reads_nothing_slows_no_run_and_fills_no_memory(server: Server, drama: Drama):
    # Once with a reader that reads, to know what such a run costs.
    events = read_to_end(drama, body={"assistant_id": drama.assistant, "model": "instant-20000"})
    assert len(events) > 20_000
    before = resident(server.process.pid)

    with stalled(drama, "instant-20000") as run:
        ended = drama.ended(run)
        assert ended["status"] == "completed"
        with stalled(Drama.open(drama.api, drama.model), "instant-20000") as other:
            assert other != run

    assert resident(server.process.pid) < before + 48 * MIB


def test_a_reader_that_comes_to_its_senses_has_missed_nothing(drama: Drama):
    body = json.dumps({"assistant_id": drama.assistant, "model": "instant-20000", "stream": True}).encode()
    with Raw(drama.api.url, receive_buffer=4_096) as raw:
        raw.send(request(b"POST", f"/v1{drama.path}/runs".encode(), body))
        run = eventually(lambda: drama.api.get(f"{drama.path}/runs")["data"])[0]["id"]
        drama.ended(run)
        answer = raw.read()

    frames = answer.body.decode().split("\n\n")
    assert frames[-2:] == ["event: done\ndata: [DONE]", ""]
    assert sum("event: thread.message.delta\n" in frame for frame in frames) == 20_000


def test_many_streams_at_once_each_get_their_own(drama: Drama):
    drama.model.will(text("one two three", hold_before=2), repeat=True)
    plays = [Drama.open(drama.api, drama.model) for _ in range(20)]
    readers = [Raw(play.api.url) for play in plays]
    for play, raw in zip(plays, readers, strict=True):
        body = json.dumps({"assistant_id": play.assistant, "stream": True}).encode()
        raw.send(request(b"POST", f"/v1{play.path}/runs".encode(), body))
    drama.model.wait(held=20)
    drama.model.release(20)
    for play, raw in zip(plays, readers, strict=True):
        with raw:
            frames = raw.read().body.decode()
        assert frames.endswith("event: done\ndata: [DONE]\n\n")
        assert play.thread in frames
        assert not any(other.thread in frames for other in plays if other is not play)


def test_a_reader_so_slow_that_its_events_are_gone_is_told_so_and_may_attach_anew(drama: Drama):
    # Together they are more than is kept of a run's events.
    body = json.dumps({"assistant_id": drama.assistant, "model": "instant-80000", "stream": True}).encode()
    with Raw(drama.api.url, receive_buffer=4_096) as raw:
        raw.send(request(b"POST", f"/v1{drama.path}/runs".encode(), body))
        run = eventually(lambda: drama.api.get(f"{drama.path}/runs")["data"])[0]["id"]
        ended = drama.ended(run)
        frames = raw.read().body.decode().split("\n\n")

    assert frames[-2:] == ["event: done\ndata: [DONE]", ""]
    assert frames[-3].startswith("event: error\n")
    # Nothing is told twice, and no end that would hide the gap.
    assert sum("event: thread.message.delta\n" in frame for frame in frames) < 80_000
    named = [frame.partition("event: ")[2].partition("\n")[0] for frame in frames]
    assert [name for name in named if name.endswith(".created")] == [
        "thread.run.created",
        "thread.run.step.created",
        "thread.message.created",
    ]
    assert "thread.run.completed" not in named
    error = json.loads(frames[-3].partition("\ndata: ")[2])
    assert "retrieve the run, or attach" in error["message"]
    # Flat for clients that read it so, and once more for those that look under `error`.
    assert error["error"].keys() == {"message", "type", "param", "code"}
    assert error == {**error["error"], "error": error["error"]}

    frames = raw_frames(drama, run)
    told = [json.loads(frame.rpartition("\ndata: ")[2]) for frame in frames[:-2]]
    assert told[-1] == ended
    assert [message["content"] for message in told if message["object"] == "thread.message"][-1] == [
        {"type": "text", "text": {"value": " word" * 80_000, "annotations": []}}
    ]


def raw_frames(drama: Drama, run: str) -> list[str]:
    """What a reader that attaches to a run from its start is told."""
    with Raw(drama.api.url) as raw:
        raw.send(request(b"GET", f"/v1{drama.path}/runs/{run}/stream".encode()))
        return raw.read().body.decode().split("\n\n")
