"""Pages of a list. A cursor stands at its object's place in the order of creation and is itself left out.

`after` keeps what follows it in the asked order, `before` what precedes it there, both together what lies
between. The page is then the first `limit` of what is kept, in the asked order, also with `before` alone: a
client that wants the items next to `before` turns the order around. `has_more` says that what is kept goes on.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from runstead.domain.errors import UnknownCursor
from runstead.ports import PageRequest
from runstead.store.rows import Row
from runstead.store.statements import Listing

_FIRST = 0
_LAST = 2**63 - 1

Find = Callable[[str, Row], Awaitable[Sequence[Any] | None]]
All = Callable[[str, Row], Awaitable[Sequence[Sequence[Any]]]]


async def read_page(
    find: Find, all_rows: All, listing: Listing, page: PageRequest, scope: Row
) -> tuple[Sequence[Sequence[Any]], bool]:
    """The rows of a page, and whether more follow. Raises UnknownCursor."""
    after = await _place(find, listing, scope, "after", page.after)
    before = await _place(find, listing, scope, "before", page.before)
    above, below = (after, before) if page.order == "asc" else (before, after)
    found = await all_rows(
        listing.asc if page.order == "asc" else listing.desc,
        {
            **scope,
            "above": _FIRST if above is None else above,
            "below": _LAST if below is None else below,
            "limit": page.limit + 1,
        },
    )
    return found[: page.limit], len(found) > page.limit


async def _place(find: Find, listing: Listing, scope: Row, param: str, id: str | None) -> int | None:
    if id is None:
        return None
    found = await find(listing.cursor, {**scope, "id": id})
    if found is None:
        raise UnknownCursor(param, id)
    place: int = found[0]
    return place
