"""What every handler is given: the ports, the journal, a clock, a source of ids."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Generic, Literal, TypeVar

from msgspec import Struct

from runstead.domain import ids
from runstead.domain.errors import Stale, Unavailable
from runstead.http.endings import Endings
from runstead.http.forms import Form
from runstead.http.queries import Query
from runstead.journal import Commits
from runstead.ports import Blobs, Bus, Clock, Desk, Model, Store
from runstead.tools.library import Library
from runstead.tools.rewriting import Rewriter
from runstead.wire.base import Body, RunId

Version = Literal["v1", "v2"]
B = TypeVar("B", bound=Body | None)
T = TypeVar("T")

TRIES = 50
"""How often a read-decide-commit round is repeated when others write in between, before it is given up."""


class Api(Struct, frozen=True, kw_only=True):
    """The server as its handlers see it."""

    store: Store
    blobs: Blobs
    journal: Commits
    bus: Bus
    endings: Endings
    desk: Desk
    model: Model
    library: Library
    rewriter: Rewriter | None = None
    clock: Clock
    run_expires_after: int

    def now(self) -> int:
        """Unix seconds, as objects carry them."""
        return int(self.clock.now())

    def new_id(self, prefix: str) -> str:
        """A fresh id with this prefix."""
        return ids.spell(prefix, secrets.token_bytes(ids.ENTROPY_BYTES))


class Call(Struct, Generic[B], frozen=True, kw_only=True):
    """One request as its handler sees it: `body` is canonical, whatever version it came in."""

    version: Version
    path: dict[str, str]
    query: Query
    body: B
    last_event_id: str | None = None
    form: Form | None = None
    range: str | None = None


FROM_THE_START = (0, 0)
"""The position before every event of a run."""


async def goes_on_by_itself() -> None:
    """How a stream begins whose run needs nothing for it."""


class RunStream(Struct, frozen=True):
    """An answer that is a run's events, from `after` (epoch, seq) on or, with None, from what comes next.

    `is_new` tells that nothing was ever said of the run.

    `begin` commits what starts them, once somebody listens, and tells where they start if not everything that is
    said from then on belongs to this answer.
    """

    run_id: RunId
    begin: Callable[[], Awaitable[tuple[int, int] | None]] = goes_on_by_itself
    after: tuple[int, int] | None = None
    is_new: bool = False


async def until_settled(act: Callable[[], Awaitable[T]]) -> T:
    """Repeat a read-decide-commit round for as long as somebody else writes in between.

    Raises Unavailable when others are always faster.
    """
    for _ in range(TRIES):
        try:
            return await act()
        except Stale:
            continue
    raise Unavailable("The object changes too fast to be written; try again.")
