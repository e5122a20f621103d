"""Pages of a list that is read whole follow the rules of those that a store reads."""

import pytest
from msgspec import Struct

from runstead.domain.errors import UnknownCursor
from runstead.http.pages import page_of
from runstead.ports import PageRequest


class Item(Struct, frozen=True):
    id: str


ITEMS = [Item(letter) for letter in "abcde"]


@pytest.mark.parametrize(
    ("page", "ids", "has_more"),
    [
        (PageRequest(), "edcba", False),
        (PageRequest(order="asc"), "abcde", False),
        (PageRequest(limit=2), "ed", True),
        (PageRequest(limit=2, after="d"), "cb", True),
        (PageRequest(limit=2, after="c"), "ba", False),
        (PageRequest(after="a"), "", False),
        (PageRequest(order="asc", before="c"), "ab", False),
        (PageRequest(order="asc", after="a", before="d"), "bc", False),
        (PageRequest(order="asc", after="d", before="b"), "", False),
    ],
)
def test_a_page_is_what_lies_between_its_cursors(page, ids, has_more):
    found = page_of(ITEMS, page)

    assert ("".join(item.id for item in found.items), found.has_more) == (ids, has_more)


@pytest.mark.parametrize("page", [PageRequest(after="x"), PageRequest(before="x")])
def test_a_cursor_that_is_not_there_is_refused(page):
    with pytest.raises(UnknownCursor):
        page_of(ITEMS, page)
