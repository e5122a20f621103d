"""SIGTERM and SIGINT: requests are answered, runs end or are handed back, and the process leaves in time."""

import signal
import threading
import time

import pytest

from tests.acceptance.processes import PATIENCE, Server
from tests.acceptance.scripted import Model, call, calls, text
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.drama import Drama, Starter, stalled
from tests.acceptance.wire.talk import Api, Raw

SIGNALS = [signal.SIGTERM, signal.SIGINT]


def exit_status(server: Server) -> int:
    return server.process.wait(PATIENCE)


def is_ready(api: Api) -> bool:
    try:
        return api.send("GET", "//readyz").status == 200
    except OSError:
        return False


@pytest.mark.parametrize("how", SIGNALS)
def test_an_idle_server_leaves_at_once(starter: Starter, how):
    server = starter(RUNSTEAD_DRAIN_FOR="15")
    began = time.monotonic()
    server.process.send_signal(how)

    assert exit_status(server) == 0
    assert time.monotonic() - began < 5
    assert server.complaints == []


def test_an_idle_connection_keeps_nobody_from_leaving(starter: Starter):
    server = starter(RUNSTEAD_DRAIN_FOR="15")
    with Raw(server.url) as silent, Raw(server.url) as kept:
        kept.send(b"GET /v1/assistants HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert kept.read().status == 200
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)

        assert exit_status(server) == 0
        assert time.monotonic() - began < 5
        assert silent.is_closed()


def test_a_run_that_ends_soon_is_waited_for(starter: Starter, model: Model):
    server = starter(RUNSTEAD_DRAIN_FOR="15")
    drama = Drama.open(Api(server.url), model)
    model.will(text("one two three", hold_before=2))
    run = drama.start()["id"]
    model.wait(held=1)

    server.process.send_signal(signal.SIGTERM)
    eventually(lambda: is_ready(drama.api), lambda ready: not ready)
    model.release()

    assert exit_status(server) == 0
    assert server.complaints == []
    after = drama.at(Api(starter().url))
    assert after.run(run)["status"] == "completed"
    assert len(model.calls) == 1


@pytest.mark.parametrize("drain_for", ["0", "2"])
def test_a_run_without_an_end_is_handed_back_in_time_and_goes_on_at_the_next_start(
    starter: Starter, model: Model, drain_for
):
    server = starter(RUNSTEAD_DRAIN_FOR=drain_for)
    drama = Drama.open(Api(server.url), model)
    model.will(text("one two three", hold_before=2), text("one two three"))
    run = drama.start()["id"]
    model.wait(held=1)
    began = time.monotonic()

    server.process.send_signal(signal.SIGTERM)

    assert exit_status(server) == 0
    # Its two seconds, those of leaving, and those of a busy machine.
    assert time.monotonic() - began < int(drain_for) + 4
    assert server.complaints == []
    model.wait(aborted=1)
    after = drama.at(Api(starter().url))
    assert after.ended(run)["status"] == "completed"
    assert after.said() == ["Hello", "one two three"]


@pytest.mark.parametrize("how", SIGNALS)
def test_a_second_signal_ends_the_waiting_in_order(starter: Starter, model: Model, how):
    server = starter(RUNSTEAD_DRAIN_FOR="60")
    drama = Drama.open(Api(server.url), model)
    model.will(text("one two three", hold_before=2), text("one two three"))
    run = drama.start()["id"]
    model.wait(held=1)
    with Raw(server.url) as half_said:
        half_said.send(b"POST /v1/threads HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{")
        server.process.send_signal(how)
        eventually(lambda: is_ready(drama.api), lambda ready: not ready)
        assert server.process.poll() is None

        began = time.monotonic()
        while server.process.poll() is None:
            server.process.send_signal(how)

        assert exit_status(server) == 0
        # Less than half of its time: nothing but the signal can have been the reason.
        assert time.monotonic() - began < 25
    assert server.complaints == []
    after = drama.at(Api(starter().url))
    assert after.ended(run)["status"] == "completed"


def test_being_handed_back_never_counts_against_a_run(starter: Starter, model: Model):
    drama = Drama.open(Api(starter().url), model)
    model.will(text("one two three", hold_before=2), repeat=True)
    run = drama.start()["id"]
    for times in range(1, 5):
        model.wait(held=times)
        assert starter.running.stop() == 0
        drama = drama.at(Api(starter(RUNSTEAD_DRAIN_FOR="0").url))
    model.wait(held=5)
    model.release()

    assert drama.ended(run)["status"] == "completed"


def test_an_open_stream_ends_with_an_error_event(starter: Starter, model: Model):
    server = starter(RUNSTEAD_DRAIN_FOR="2")
    drama = Drama.open(Api(server.url), model)
    model.will(text("one two three", hold_before=2), text("one two three"))
    with drama.api.stream(f"{drama.path}/runs", {"assistant_id": drama.assistant}) as stream:
        stream.until("thread.message.delta")
        server.process.send_signal(signal.SIGTERM)
        rest = stream.rest()

    assert [event.name for event in rest[-2:]] == ["error", "done"]
    said = rest[-2].json
    assert said["type"] == "server_error"
    assert "is stopping" in said["message"]
    assert said["error"] == {name: said[name] for name in ("message", "type", "param", "code")}
    assert exit_status(server) == 0
    assert server.complaints == []


def test_a_stream_whose_run_ends_in_time_ends_well(starter: Starter, model: Model):
    server = starter(RUNSTEAD_DRAIN_FOR="15")
    drama = Drama.open(Api(server.url), model)
    model.will(text("one two three", hold_before=2))
    with drama.api.stream(f"{drama.path}/runs", {"assistant_id": drama.assistant}) as stream:
        stream.until("thread.message.delta")
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: is_ready(drama.api), lambda ready: not ready)
        model.release()
        rest = stream.rest()

    assert [event.name for event in rest[-2:]] == ["thread.run.completed", "done"]
    assert exit_status(server) == 0


def test_a_reader_that_reads_nothing_keeps_nobody_from_leaving(starter: Starter, model: Model):
    server = starter(RUNSTEAD_DRAIN_FOR="2")
    drama = Drama.open(Api(server.url), model)
    with stalled(drama, "instant-40000") as run:
        drama.ended(run)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)

        assert exit_status(server) == 0

    assert time.monotonic() - began < 6
    assert server.complaints == []


def test_a_server_that_stops_is_not_ready_before_it_refuses_connections(starter: Starter, model: Model):
    server = starter(RUNSTEAD_DRAIN_FOR="5")
    api = Api(server.url)
    drama = Drama.open(api, model)
    model.will(text("one two", hold_before=1))
    drama.start()
    model.wait(held=1)
    seen: list[object] = []

    def probe() -> None:
        while not seen or seen[-1] != "refused":
            try:
                seen.append(api.send("GET", "//readyz").status)
            except OSError:
                seen.append("refused")

    prober = threading.Thread(target=probe)
    prober.start()
    server.process.send_signal(signal.SIGTERM)
    prober.join(PATIENCE)
    model.release()

    assert list(dict.fromkeys(seen)) in ([200, 503, "refused"], [503, "refused"])
    assert exit_status(server) == 0


def test_a_run_that_waits_for_its_client_is_left_as_it_is(starter: Starter, model: Model):
    drama = Drama.open(Api(starter().url), model)
    model.will(calls(call("look")), text("done"))
    run = drama.rested(drama.start()["id"])

    assert starter.running.stop() == 0
    drama = drama.at(Api(starter().url))

    assert drama.run(run["id"]) == run
    drama.submit(run)
    assert drama.ended(run["id"])["status"] == "completed"


@pytest.mark.parametrize("second", SIGNALS)
def test_signals_that_come_together_are_one(starter: Starter, model: Model, second):
    server = starter(RUNSTEAD_DRAIN_FOR="15")
    drama = Drama.open(Api(server.url), model)
    model.will(text("one two three", hold_before=2))
    run = drama.start()["id"]
    model.wait(held=1)
    server.process.send_signal(signal.SIGTERM)
    eventually(lambda: is_ready(drama.api), lambda ready: not ready)
    server.process.send_signal(second)
    server.process.send_signal(second)
    model.release()

    assert exit_status(server) == 0
    assert server.complaints == []
    assert drama.at(Api(starter().url)).run(run)["status"] == "completed"


def test_requests_in_flight_are_answered(starter: Starter):
    server = starter(RUNSTEAD_DRAIN_FOR="15")
    api = Api(server.url)
    body = b'{"metadata": {"sent": "slowly"}}'
    with Raw(server.url) as raw:
        head = b"POST /v1/threads HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        raw.send(head + b"Content-Length: %d\r\n\r\n" % len(body) + body[:-1])
        assert api.send("GET", "/assistants").status == 200
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: is_ready(api), lambda ready: not ready)
        raw.send(body[-1:])

        answer = raw.read()

    assert answer.status == 200
    assert exit_status(server) == 0
    assert Api(starter().url).get(f"/threads/{answer.json['id']}") == answer.json
