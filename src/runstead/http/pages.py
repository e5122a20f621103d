"""List envelopes."""

from typing import Protocol, TypeVar

from runstead.ports import Page
from runstead.wire.base import ListPage


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_HasId)


def listed(page: Page[T]) -> ListPage[T]:
    """A page as it is answered. API: the cursors are null only when there is nothing."""
    items = page.items
    first, last = (items[0].id, items[-1].id) if items else (None, None)
    return ListPage(data=items, first_id=first, last_id=last, has_more=page.has_more)
