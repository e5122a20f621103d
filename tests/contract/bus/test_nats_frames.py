"""How events travel."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstead.bus.nats_frames import Lost, decode, encode, encode_lost
from runstead.wire.events import EventName, StreamEvent

events = st.builds(
    StreamEvent,
    epoch=st.integers(0, 2**40),
    seq=st.integers(0, 2**40),
    name=st.sampled_from(get_args(EventName)),
    data=st.binary(max_size=50),
)


@given(st.lists(events))
def test_what_is_encoded_comes_back(given_events):
    assert decode(encode(given_events)) == given_events


def test_a_loss_is_told_between_events():
    event = StreamEvent(1, 2, "done", b"[DONE]")
    assert decode(encode([event]) + encode_lost((1, 9)) + encode([event])) == [event, Lost(1, 9), event]


def test_a_frame_can_be_read_by_people():
    assert encode([StreamEvent(2, 15, "thread.message.delta", b"{}")]) == b"2 15 thread.message.delta 2\n{}"


@given(st.binary(min_size=1, max_size=60))
def test_what_is_no_frame_is_refused(payload):
    try:
        decode(payload)
    except ValueError:
        return
    assert b"\n" in payload


@pytest.mark.parametrize("payload", [b"1 2 done 5\nabc", b"1 2 done", b"x 2 done 0\n", b"1 2 done -3\n"])
def test_what_is_cut_short_is_refused(payload):
    with pytest.raises(ValueError):  # noqa: PT011 - whichever part is wrong
        decode(payload)
