"""Query parameters of lists, with the original's words for the wrong ones."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstead.domain.errors import InvalidRequest
from runstead.http.queries import Query, parse_query
from runstead.ports import PageRequest

CONTENT = "step_details.tool_calls[*].file_search.results[*].content"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"", PageRequest()),
        (b"limit=1", PageRequest(limit=1)),
        (b"limit=100&order=asc", PageRequest(limit=100, order="asc")),
        (b"after=msg_1&before=msg_2", PageRequest(after="msg_1", before="msg_2")),
        (b"limit=5&limit=7", PageRequest(limit=7)),
        (b"limit=&order=&after=", PageRequest()),
        (b"color=red&limit=3", PageRequest(limit=3)),
        (b"after=a%20b", PageRequest(after="a b")),
        (b"limit=%2B5", PageRequest(limit=5)),
    ],
)
def test_a_page_is_asked_for(query, expected):
    assert parse_query(query).page == expected


def test_messages_may_be_asked_for_by_run():
    assert parse_query(b"run_id=run_1").run_id == "run_1"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"", {}),
        (b"metadata[a]=1", {"a": "1"}),
        (b"metadata%5Ba%5D=1&metadata%5Bb%5D=2", {"a": "1", "b": "2"}),
        (b"metadata[a]=1&metadata[a]=2", {"a": "2"}),
        (b"metadata[a]=", {"a": ""}),
        (b"metadata[]=1", {"": "1"}),
        (b"metadata[a][b]=1", {"a][b": "1"}),
        (b"metadata=1&metadata[a=1", {}),
    ],
)
def test_threads_may_be_asked_for_by_metadata(query, expected):
    assert parse_query(query, has_metadata=True).metadata == expected


def test_a_run_may_be_waited_for():
    def wait(query):
        return parse_query(query, is_list=False, has_include=False, has_wait=True).wait

    assert (wait(b""), wait(b"wait=0"), wait(b"wait=60"), wait(b"limit=0")) == (0, 0, 60, 0)
    for query in (b"wait=61", b"wait=-1", b"wait=1.5", b"wait=soon"):
        with pytest.raises(InvalidRequest) as raised:
            wait(query)
        assert raised.value.param == "wait"


@pytest.mark.parametrize("name", [b"include", b"include[]", b"include%5B%5D"])
def test_the_content_of_results_is_shown_on_request(name):
    assert parse_query(name + b"=" + CONTENT.encode()).has_result_content
    assert not parse_query(b"").has_result_content


@pytest.mark.parametrize(
    ("query", "param", "code", "message"),
    [
        (b"limit=101", "limit", "integer_above_max_value",
         "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 instead."),
        (b"limit=0", "limit", "integer_below_min_value",
         "Invalid 'limit': integer below minimum value. Expected a value >= 1, but got 0 instead."),
        (b"limit=-1", "limit", "integer_below_min_value",
         "Invalid 'limit': integer below minimum value. Expected a value >= 1, but got -1 instead."),
        (b"limit=ten", "limit", "invalid_type",
         "Invalid type for 'limit': expected an integer, but got a string instead."),
        (b"limit=1_0", "limit", "invalid_type",
         "Invalid type for 'limit': expected an integer, but got a string instead."),
        (b"limit=1.5", "limit", "invalid_type",
         "Invalid type for 'limit': expected an integer, but got a string instead."),
        (b"limit=" + b"9" * 5000, "limit", "invalid_type",
         "Invalid type for 'limit': expected an integer, but got a string instead."),
        (b"order=up", "order", "invalid_value",
         "Invalid value: 'up'. Supported values are: 'asc' and 'desc'."),
        (b"include[]=all", "include[0]", "invalid_value",
         f"Invalid value: 'all'. Supported value is: '{CONTENT}'."),
        (b"after=%00", "after", "invalid_value",
         "Invalid 'after': strings must not contain the null character (U+0000)."),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_refused(query, param, code, message):
    with pytest.raises(InvalidRequest) as raised:
        parse_query(query)

    assert (raised.value.param, raised.value.code, raised.value.message) == (param, code, message)


def test_a_flood_of_parameters_is_refused():
    with pytest.raises(InvalidRequest, match="Too many query parameters"):
        parse_query(b"&".join(b"a=%d" % i for i in range(1000)))


@given(st.binary() | st.text().map(str.encode))
def test_any_query_string_is_read_or_refused(query):
    with suppress(InvalidRequest):
        assert isinstance(parse_query(query), Query)
