"""How a change's steps are carried out on a SQLite connection that is in a transaction and writes alone."""

import sqlite3
from typing import assert_never

from runstead.store.steps import Ask, Insert, Step, Swap, Sweep, Touch


def carry_out(connection: sqlite3.Connection, step: Step) -> None:
    """Raises the step's refusal."""
    match step:
        case Ask(statement, row, refusal_for):
            # No other connection writes, so what was not found cannot appear before the next step.
            found = connection.execute(statement, row).fetchone()
            if found is not None:
                raise refusal_for(found[0])
        case Insert(statement, row, taken, orphaned):
            try:
                connection.execute(statement, row)
            except sqlite3.IntegrityError as error:
                raise (orphaned if _is_orphaned(error) else taken) from error
        case Touch(statement, row, refusal):
            if connection.execute(statement, row).rowcount == 0:
                raise refusal
        case Swap(get, replace, row, _, is_unchanged, refusal, _):
            found = connection.execute(get, row).fetchone()
            if found is None or not is_unchanged(found[0]):
                raise refusal
            connection.execute(replace, row)
        case Sweep(statement, row):
            connection.execute(statement, row)
        case unreachable:
            assert_never(unreachable)


def _is_orphaned(error: sqlite3.IntegrityError) -> bool:
    return error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
