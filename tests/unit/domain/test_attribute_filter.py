import pytest

from runstead.domain.attribute_filter import DEEPEST, MOST_PARTS, Equals, Joined, OneOf, Ordered, matches, parse
from runstead.domain.errors import InvalidRequest

DOCUMENT: dict[str, str | float | bool] = {"author": "Ada", "year": 1843, "rating": 4.5, "draft": True}


def filter_of(type, key, value):
    return parse({"type": type, "key": key, "value": value})


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"type": "eq", "key": "author", "value": "Ada"}, Equals("eq", "author", "Ada")),
        ({"type": "gte", "key": "year", "value": 1843}, Ordered("gte", "year", 1843.0)),
        ({"type": "nin", "key": "year", "value": [1, "a", True]}, OneOf("nin", "year", (1.0, "a", True))),
        (
            {"type": "or", "filters": [{"type": "and", "filters": []}]},
            Joined("or", (Joined("and", ()),)),
        ),
    ],
)
def test_a_filter_is_read_as_it_is_written(raw, expected):
    assert parse(raw) == expected


@pytest.mark.parametrize(
    ("type", "key", "value", "is_let_through"),
    [
        ("eq", "author", "Ada", True),
        ("eq", "author", "ada", False),
        ("eq", "year", 1843, True),
        ("eq", "year", 1843.0, True),
        ("eq", "year", "1843", False),
        ("eq", "draft", True, True),
        ("eq", "draft", 1, False),
        ("eq", "missing", "x", False),
        ("ne", "missing", "x", True),
        ("ne", "author", "Ada", False),
        ("gt", "year", 1842, True),
        ("gt", "year", 1843, False),
        ("gte", "year", 1843, True),
        ("lt", "rating", 5, True),
        ("lte", "rating", 4.4, False),
        ("gt", "author", "Abe", True),
        ("gt", "author", 1, False),
        ("lt", "draft", 5, False),
        ("lt", "missing", 5, False),
        ("in", "author", ["Ada", "Bob"], True),
        ("in", "draft", [1], False),
        ("nin", "author", ["Bob"], True),
        ("nin", "missing", ["Bob"], True),
    ],
)
def test_a_comparison_knows_types(type, key, value, is_let_through):
    assert matches(filter_of(type, key, value), DOCUMENT) is is_let_through


@pytest.mark.parametrize(
    ("raw", "param", "code"),
    [
        ("year", "filters", "invalid_type"),
        ([], "filters", "invalid_type"),
        ({}, "filters.type", "missing_required_parameter"),
        ({"type": "like", "key": "a", "value": "b"}, "filters.type", "invalid_value"),
        ({"type": ["eq"], "key": "a", "value": "b"}, "filters.type", "invalid_value"),
        ({"type": "eq", "value": "b"}, "filters.key", "missing_required_parameter"),
        ({"type": "eq", "key": 1, "value": "b"}, "filters.key", "invalid_type"),
        ({"type": "eq", "key": "a"}, "filters.value", "missing_required_parameter"),
        ({"type": "eq", "key": "a", "value": None}, "filters.value", "missing_required_parameter"),
        ({"type": "eq", "key": "a", "value": ["b"]}, "filters.value", "invalid_type"),
        ({"type": "eq", "key": "a", "value": float("inf")}, "filters.value", "invalid_type"),
        ({"type": "eq", "key": "a", "value": 10**400}, "filters.value", "invalid_type"),
        ({"type": "gt", "key": "a", "value": True}, "filters.value", "invalid_type"),
        ({"type": "in", "key": "a", "value": "b"}, "filters.value", "invalid_type"),
        ({"type": "in", "key": "a", "value": [{}]}, "filters.value[0]", "invalid_type"),
        ({"type": "and"}, "filters.filters", "missing_required_parameter"),
        ({"type": "and", "filters": {}}, "filters.filters", "invalid_type"),
        ({"type": "and", "filters": [{"type": "eq"}]}, "filters.filters[0].key", "missing_required_parameter"),
        ({"type": "eq", "key": "a", "value": 1, "boost": 2}, "filters.boost", "unknown_parameter"),
        ({"type": "and", "filters": [], "key": "a"}, "filters.key", "unknown_parameter"),
    ],
)
def test_a_wrong_filter_is_refused_with_its_place(raw, param, code):
    with pytest.raises(InvalidRequest) as refusal:
        parse(raw)

    assert (refusal.value.param, refusal.value.code) == (param, code)


def test_a_filter_has_an_end():
    deep = {"type": "eq", "key": "a", "value": 1}
    for _ in range(DEEPEST):
        deep = {"type": "and", "filters": [deep]}
    assert matches(parse(deep), {"a": 1})
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        parse({"type": "and", "filters": [deep]})

    parse({"type": "in", "key": "a", "value": [1] * (MOST_PARTS - 1)})
    with pytest.raises(InvalidRequest, match="too large"):
        parse({"type": "in", "key": "a", "value": [1] * MOST_PARTS})
