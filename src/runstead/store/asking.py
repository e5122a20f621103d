"""How one statement is asked, and what an empty answer means: the ground of every read."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from runstead.domain.errors import NotFound
from runstead.ports import PageRequest
from runstead.store.pages import read_page
from runstead.store.rows import Row
from runstead.store.statements import Listing


class Asking(ABC):
    """An adapter says how one statement is asked; every statement sees all that was committed before."""

    @abstractmethod
    async def find_row(self, statement: str, row: Row) -> Sequence[Any] | None:
        """The only row, or None. Raises Unavailable."""

    @abstractmethod
    async def all_rows(self, statement: str, row: Row) -> Sequence[Sequence[Any]]:
        """Raises Unavailable."""

    async def _page(self, listing: Listing, page: PageRequest, scope: Row) -> tuple[Sequence[Sequence[Any]], bool]:
        return await read_page(self.find_row, self.all_rows, listing, page, scope)

    async def _get(self, statement: str, refusal: NotFound, row: Row) -> Sequence[Any]:
        found = await self.find_row(statement, row)
        if found is None:
            raise refusal
        return found
