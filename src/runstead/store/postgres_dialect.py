"""What PostgreSQL spells differently: places instead of names, and types where they cannot be guessed."""

import re
from functools import cache
from typing import Any, Final

from runstead.store import file_statements, statements
from runstead.store.rows import Row
from runstead.store.statements import listing

_NAMED = re.compile(r"(?<!:):([a-z_]+)")
_TYPES: Final = {
    "above": "bigint",
    "at": "bigint",
    "attempts": "bigint",
    "below": "bigint",
    "cancelled_at": "bigint",
    "created_at": "bigint",
    "deadline": "float8",
    "deleted_at": "float8",
    "epoch": "bigint",
    "expires_after": "bigint",
    "expires_at": "bigint",
    "forgotten_before": "float8",
    "generation": "bigint",
    "last_active_at": "bigint",
    "lease_until": "float8",
    "limit": "bigint",
    "max_bytes": "bigint",
    "most": "bigint",
    "now": "float8",
    "seq": "bigint",
    "usage_bytes": "bigint",
    "waiting_since": "float8",
    "was_epoch": "bigint",
    "was_lease_until": "float8",
}

# The wanted pairs come as one JSON object, which its index knows how to find.
THREADS_WITH_METADATA: Final = listing("threads", "body", "TRUE", "metadata @> :metadata::jsonb")

_ANY_OF_THE_IDS: Final = "ANY (ARRAY(SELECT jsonb_array_elements_text(:ids::jsonb)))"
_SPELLED: Final = {
    file_statements.ADD_STORE_FILES: file_statements.adding(
        "item.value ->> '{}'", "jsonb_array_elements(:files::jsonb)"
    ),
    file_statements.KNOWN_FILES: f"SELECT id FROM files WHERE id = {_ANY_OF_THE_IDS}",  # noqa: S608
    file_statements.FIND_FILES: f"SELECT body FROM files WHERE id = {_ANY_OF_THE_IDS}",  # noqa: S608
    file_statements.FIND_STORE_FILES: f"""
SELECT {file_statements.STORE_FILE} FROM store_files
 WHERE vector_store_id = :vector_store_id AND file_id = {_ANY_OF_THE_IDS}
""",  # noqa: S608
    statements.FIND_CODE_SESSIONS: f"""
SELECT thread_id, owner, generation, lease_until FROM code_sessions WHERE thread_id = {_ANY_OF_THE_IDS}
""",  # noqa: S608
    statements.RUNS_UNDER_WAY: f"SELECT id FROM runs WHERE id = {_ANY_OF_THE_IDS} AND {statements.UNDER_WAY}",  # noqa: S608
}
"""Statements that unfold a JSON array."""

# In the order of ids, as groups of changes lock them: two that hold some of the same never wait in a circle.
RENEW_LEASES: Final = f"""
WITH held AS MATERIALIZED (SELECT seq FROM runs WHERE owner = :owner AND {statements.LEASED}
                            ORDER BY id FOR NO KEY UPDATE)
UPDATE runs SET lease_until = {statements.PROLONGED} FROM held WHERE runs.seq = held.seq
RETURNING runs.id, runs.epoch, runs.status
"""  # noqa: S608

RENEW_CODE_SESSIONS: Final = f"{statements.RENEW_CODE_SESSIONS} RETURNING thread_id, generation"


@cache
def asked_alone(statement: str) -> tuple[str, tuple[str, ...]]:
    """The statement with a place for each name, and the names in the order of places."""
    names: list[str] = []

    def place(match: re.Match[str]) -> str:
        name = match[1]
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}::{_TYPES.get(name, 'text')}"

    sql = _NAMED.sub(place, _spelled(statement))
    return sql, tuple(names)


@cache
def asked_in_a_group(statement: str) -> tuple[str, tuple[str, ...]]:
    """The same with one array of texts as its only parameter."""
    names: list[str] = []

    def place(match: re.Match[str]) -> str:
        name = match[1]
        if name not in names:
            names.append(name)
        element = f"$1[{names.index(name) + 1}]"
        return f"{element}::{_TYPES[name]}" if name in _TYPES else element

    sql = _NAMED.sub(place, _spelled(statement))
    return sql, tuple(names)


def _spelled(statement: str) -> str:
    return _SPELLED.get(statement, statement).replace(" IS :", " IS NOT DISTINCT FROM :")


def as_text(value: Any) -> str | None:
    """A value as an element of that array. Floats come back as they were: their shortest form names one double."""
    if value is None or isinstance(value, str):
        return value
    return value.decode() if isinstance(value, bytes) else repr(value)


def values(names: tuple[str, ...], row: Row) -> list[Any]:
    """What stands in the places."""
    return [row[name] for name in names]
