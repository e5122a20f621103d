import pytest

from runstead.model.retry import Patience, RetryPolicy, retry_after
from runstead.model.upstream_errors import Failure, UpstreamError

BUSY = UpstreamError("", status=503)


def test_two_retries_with_growing_waits_and_no_third():
    patience = Patience(RetryPolicy(), started=0.0)

    first, second, third = (patience.wait(BUSY, now) for now in (0.1, 1.0, 3.0))

    assert first is not None
    assert second is not None
    assert 0.3 < first < second < 2
    assert third is None


def test_a_cut_connection_is_made_anew_at_once_and_then_with_a_wait():
    patience = Patience(RetryPolicy(), started=0.0)
    cut = UpstreamError("", failure=Failure.CUT)

    first, second = patience.wait(cut, 0.1), patience.wait(cut, 0.2)

    assert first == 0.0
    assert second is not None
    assert second > 0.5


def test_nothing_is_begun_after_the_time_is_up():
    assert Patience(RetryPolicy(), started=0.0).wait(BUSY, 8.0) is None


def test_the_wait_fits_into_what_is_left():
    wait = Patience(RetryPolicy(), started=0.0).wait(BUSY, 7.9)

    assert wait is not None
    assert wait < 0.1


@pytest.mark.parametrize(("asked", "waited"), [(3.0, 3.0), (0.0, 0.0), (9.0, None), (7.6, None)])
def test_the_server_is_obeyed_or_given_up(asked, waited):
    error = UpstreamError("", status=429, retry_after=asked)

    assert Patience(RetryPolicy(), started=0.0).wait(error, 0.5) == waited


@pytest.mark.parametrize("failure", [Failure.SILENT, Failure.UNTRUSTED, Failure.NO_COMPLETION])
def test_what_does_not_pass_is_not_asked_again(failure):
    assert Patience(RetryPolicy(), started=0.0).wait(UpstreamError("", failure=failure), 0.0) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "3"}, 3.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "Retry-After": "9"}, 0.25),
        ({"Retry-After": "Thu, 01 Jan 1970 00:01:40 GMT"}, 90.0),
        ({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "nan"}, None),
    ],
)
def test_how_servers_ask_to_wait(headers, seconds):
    assert retry_after(headers, now=10.0) == seconds
