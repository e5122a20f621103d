"""That what is asked often finds its rows through an index, whatever has piled up beside them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from runstead.store import statements
from runstead.store.migrate import migrate, packaged_migrations

ASKED_OFTEN = {
    "due": statements.DUE_RUNS,
    "next deadline": statements.NEXT_DEADLINE,
    "renew": statements.RENEW_LEASES,
    "leases": statements.LIST_LEASES,
    "active run": statements.FIND_ACTIVE_RUN,
    "run": statements.GET_RUN,
    "steps": statements.LIST_STEPS,
    "newest messages": statements.NEWEST_MESSAGES,
    "older messages": statements.COUNT_OLDER_MESSAGES,
    "newest earlier steps": statements.NEWEST_EARLIER_STEPS,
    "messages": statements.MESSAGES.desc,
    "messages of a run": statements.MESSAGES_OF_RUN.asc,
    "runs": statements.RUNS.desc,
    "run steps": statements.STEPS.asc,
    "place of an assistant": statements.ASSISTANTS.cursor,
    "place of a message": statements.MESSAGES.cursor,
    "forgotten assistants": statements.FORGET_ASSISTANTS,
    "forgotten messages": statements.FORGET_MESSAGES,
}


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, "memory", packaged_migrations("sqlite"))
        yield connection


@pytest.mark.parametrize("name", ASKED_OFTEN)
def test_no_table_is_read_from_end_to_end(connection, name) -> None:
    statement = ASKED_OFTEN[name]
    parameters = dict.fromkeys(
        ("id", "thread_id", "run_id", "owner", "now", "waiting_since", "lease_until", "limit", "seq", "above", "below")
    )
    parameters["forgotten_before"] = None

    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]

    # An index that is partial and walked whole is small by its nature.
    scans = [step for step in plan if step.startswith("SCAN") and "USING" not in step]
    sorts = [step for step in plan if "TEMP B-TREE FOR ORDER" in step and name != "due"]
    assert (scans, sorts) == ([], []), plan
