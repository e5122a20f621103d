"""Whatever arrives, a body is read or refused; nothing else happens."""

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from runstead.domain.errors import InvalidRequest
from runstead.http.decoding import decode
from runstead.wire import assistants, messages, runs, threads, v1
from runstead.wire.base import Body
from tests.unit.wire.strategies import any_json, some

V2_BODIES: list[type[Body]] = [
    assistants.CreateAssistant,
    assistants.ModifyAssistant,
    threads.CreateThread,
    threads.ModifyThread,
    messages.CreateMessage,
    messages.ModifyMessage,
    runs.CreateRun,
    runs.CreateThreadAndRun,
    runs.ModifyRun,
    runs.SubmitToolOutputs,
]
BODIES = list(dict.fromkeys([*V2_BODIES, *map(v1.body_type, V2_BODIES)]))
bodies = st.sampled_from(BODIES).flatmap(lambda kind: st.tuples(st.just(kind), some(kind)))


def read_or_refused(raw, kind):
    """What the client meant, or None for a refusal that is fit to be sent."""
    try:
        body = decode(raw, kind)
    except InvalidRequest as error:
        refusal = error
    else:
        assert msgspec.json.decode(msgspec.json.encode(body), type=kind) == body
        return body
    # The last resort means that the second reading did not find what the first one had.
    assert refusal.message != "The body of your request is invalid."
    assert 0 < len(refusal.message) < 1000
    msgspec.json.encode([refusal.message, refusal.param, refusal.code])
    return None


@st.composite
def mutated(draw):
    """A valid body with one or two places replaced, removed or added."""
    kind, body = draw(bodies)
    holder = {"": msgspec.to_builtins(body)}
    for _ in range(draw(st.integers(1, 2))):
        containers: list[Any] = [holder]
        for container in containers:
            items = container.values() if isinstance(container, dict) else container
            containers.extend(item for item in items if isinstance(item, dict | list))
        container = draw(st.sampled_from(containers))
        places = list(container) if isinstance(container, dict) else list(range(len(container)))
        action = draw(st.sampled_from(["replace", "remove", "add"]))
        if action == "add" and container is not holder:
            if isinstance(container, dict):
                container[draw(st.text(max_size=5))] = draw(any_json)
            else:
                container.append(draw(any_json))
        elif places:
            place = draw(st.sampled_from(places))
            if action == "remove" and container is not holder:
                del container[place]
            else:
                container[place] = draw(any_json)
    return kind, json.dumps(holder[""]).encode()


@settings(deadline=None)
@given(bodies)
def test_every_valid_body_is_read_back(kind_and_body):
    kind, body = kind_and_body

    assert read_or_refused(msgspec.json.encode(body), kind) == body


@settings(deadline=None)
@given(bodies)
def test_every_body_has_a_canonical_form_that_can_be_kept(kind_and_body):
    _, body = kind_and_body

    canonical = v1.canonical(body)

    assert type(canonical) in V2_BODIES
    assert msgspec.json.decode(msgspec.json.encode(canonical), type=type(canonical)) == canonical


@settings(deadline=None)
@given(mutated())
def test_a_damaged_body_is_read_or_refused(case):
    kind, raw = case

    read_or_refused(raw, kind)


@settings(deadline=None)
@given(st.sampled_from(BODIES), any_json)
def test_any_json_is_read_or_refused(kind, value):
    read_or_refused(json.dumps(value).encode(), kind)


@settings(deadline=None)
@given(st.sampled_from(BODIES), st.binary())
def test_any_bytes_are_read_or_refused(kind, raw):
    read_or_refused(raw, kind)


@settings(deadline=None)
@given(bodies, st.data())
def test_a_body_cut_or_bent_on_the_wire_is_read_or_refused(kind_and_body, data):
    kind, body = kind_and_body
    raw = bytearray(msgspec.json.encode(body))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))

    read_or_refused(bytes(raw[: data.draw(st.integers(0, len(raw)))]), kind)
    read_or_refused(bytes(raw), kind)
