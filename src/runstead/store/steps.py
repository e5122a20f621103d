"""What can be asked of a database within a change, and which refusal a failure means."""

from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct

from runstead.domain.errors import RunsteadError
from runstead.store.rows import Row


class Ask(Struct, frozen=True):
    """Refused if the statement finds an id."""

    statement: str
    row: Row
    refusal: Callable[[str], RunsteadError]


class Insert(Struct, frozen=True):
    """Refused if the id is taken, or if what it belongs to is not there."""

    statement: str
    row: Row
    taken: RunsteadError
    orphaned: RunsteadError


class Touch(Struct, frozen=True):
    """Refused if the statement meets no row."""

    statement: str
    row: Row
    refusal: RunsteadError


class Swap(Struct, frozen=True):
    """Refused unless what is stored in a column is unchanged.

    That is judged by value, not by bytes: a release that adds a field with a default must still find the rows of
    the previous one unchanged. `was` is how we would have written it.
    """

    get: str
    replace: str
    row: Row
    was: bytes
    is_unchanged: Callable[[Any], bool]
    refusal: RunsteadError
    column: Literal["body", "extra"] = "body"


class Sweep(Struct, frozen=True):
    """Never refused, whether the statement meets rows or none."""

    statement: str
    row: Row


Step = Ask | Insert | Touch | Swap | Sweep

REMEMBERED_FOR = 24 * 3600.0
"""Seconds for which the place of a deleted object may be a cursor."""
