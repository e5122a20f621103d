"""That what is asked often finds its rows through an index, whatever has piled up beside them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from runstead.store import file_statements, statements
from runstead.store.migrate import migrate, packaged_migrations

ASKED_OFTEN = {
    "due": statements.DUE_RUNS,
    "next deadline": statements.NEXT_DEADLINE,
    "renew": statements.RENEW_LEASES,
    "leases": statements.LIST_LEASES,
    "active run": statements.FIND_ACTIVE_RUN,
    "run": statements.GET_RUN,
    "runs under way": statements.RUNS_UNDER_WAY,
    "code sessions": statements.FIND_CODE_SESSIONS,
    "renew code sessions": statements.RENEW_CODE_SESSIONS,
    "leases of code sessions": statements.LIST_CODE_SESSIONS,
    "keyed request": statements.FIND_REQUEST,
    "forgotten requests": statements.FORGET_REQUESTS,
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
    "files": file_statements.FILES.desc,
    "files of a purpose": file_statements.FILES_FOR.desc,
    "place of a file": file_statements.FILES.cursor,
    "expired files": file_statements.EXPIRED_FILES,
    "holders of a file": file_statements.HOLDERS_OF_FILE,
    "vector store": file_statements.GET_STORE,
    "files of a store": file_statements.STORE_FILES.desc,
    "files of a store in a state": file_statements.STORE_FILES_IN.asc,
    "files of a batch": file_statements.BATCH_FILES.asc,
    "place of a file in a store": file_statements.STORE_FILES.cursor,
    "batch": file_statements.GET_BATCH,
    "unfinished files": file_statements.UNFINISHED_FILES,
    "cancelled files": file_statements.CANCEL_FILES_OF_BATCH,
    "forgotten places": file_statements.FORGET_PLACES,
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
    parameters |= dict.fromkeys(
        ("forgotten_before", "purpose", "file_id", "vector_store_id", "batch_id", "status", "key", "at")
    )
    parameters["ids"] = "[]"

    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]

    # An index that is partial and walked whole is small by its nature, and so is a list that was asked with.
    scans = [step for step in plan if step.startswith("SCAN") and not {"USING", "VIRTUAL"} & set(step.split())]
    sorts = [step for step in plan if "TEMP B-TREE FOR ORDER" in step and name != "due"]
    assert (scans, sorts) == ([], []), plan
