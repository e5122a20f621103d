"""List envelopes."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from runstead.domain.errors import UnknownCursor
from runstead.ports import Page, PageRequest
from runstead.wire.base import ListPage


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_HasId)


def page_of(items: Sequence[T], page: PageRequest) -> Page[T]:
    """A page of a short list that is read whole, oldest first. Raises UnknownCursor."""
    ordered = list(items) if page.order == "asc" else list(reversed(items))
    ids = [item.id for item in ordered]
    first = _place(ids, "after", page.after) + 1 if page.after else 0
    last = _place(ids, "before", page.before) if page.before else len(ids)
    kept = ordered[first:last]
    return Page(kept[: page.limit], len(kept) > page.limit)


def _place(ids: list[str], param: str, id: str) -> int:
    if id not in ids:
        raise UnknownCursor(param, id)
    return ids.index(id)


def listed(page: Page[T]) -> ListPage[T]:
    """A page as it is answered. API: the cursors are null only when there is nothing."""
    items = page.items
    first, last = (items[0].id, items[-1].id) if items else (None, None)
    return ListPage(data=items, first_id=first, last_id=last, has_more=page.has_more)
