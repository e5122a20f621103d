"""A change as the arguments of `apply_changes`, and what its answers mean."""

from collections.abc import Sequence
from typing import assert_never

import asyncpg
from msgspec import Struct

from runstead.domain.change import (
    AddMessage,
    DeleteAssistant,
    DeleteMessage,
    DeleteThread,
    InsertAssistant,
    InsertMessage,
    InsertRun,
    InsertStep,
    InsertThread,
    ReplaceAssistant,
    ReplaceMessage,
    ReplaceRun,
    ReplaceStep,
    ReplaceThread,
    SetRunMetadata,
    TakeRun,
    Write,
)
from runstead.domain.code_sessions import LetGoOfCodeSession, TakeCodeSession
from runstead.domain.errors import RunsteadError
from runstead.domain.file_writes import FileWrite
from runstead.domain.keyed_requests import RememberRequest
from runstead.store.postgres_dialect import as_text, asked_in_a_group, values
from runstead.store.steps import Ask, Insert, Step, Swap, Sweep, Touch

_FOUND = "RS002"
_NO_ROW = "RS003"
_ORPHANED = asyncpg.ForeignKeyViolationError.sqlstate


class Unchanged(RunsteadError):
    """A row is not written as we would have written it. It may still say the same."""

    def __init__(self, step: Swap) -> None:
        super().__init__("a row reads otherwise")
        self.step = step


class Plan(Struct, frozen=True):
    """What one change asks of the database."""

    steps: Sequence[Step]
    thread_ids: frozenset[str]
    run_ids: frozenset[str]
    kinds: str
    statements: list[str]
    arities: list[int]
    arguments: list[str | None]
    size: int

    def refusal(self, step: int, code: str, detail: str) -> RunsteadError:
        """Why the change was not carried out. Raises RuntimeError for what no change should bring about."""
        match self.steps[step]:
            case Ask(_, _, refusal_for) if code == _FOUND:
                return refusal_for(detail)
            case Insert(_, _, taken, orphaned) if code.startswith("23"):
                return orphaned if code == _ORPHANED else taken
            case Touch(_, _, refusal) if code == _NO_ROW:
                return refusal
            case Swap() as swap if code == _NO_ROW:
                return Unchanged(swap)
            case _:
                raise RuntimeError(f"PostgreSQL refused a change: {detail} ({code})")


def plan_of(writes: Sequence[Write], steps: Sequence[Step]) -> Plan:
    """The steps as they are, and the locks that they need."""
    kinds: list[str] = []
    statements: list[str] = []
    arities: list[int] = []
    arguments: list[str | None] = []
    for step in steps:
        kind, statement, row = _spelled(step)
        sql, names = asked_in_a_group(statement)
        kinds.append(kind)
        statements.append(sql)
        arities.append(len(names))
        arguments += map(as_text, values(names, row))
    return Plan(
        steps,
        frozenset(id for write in writes if (id := _thread_of(write)) is not None),
        frozenset(id for write in writes if (id := _run_of(write)) is not None),
        "".join(kinds),
        statements,
        arities,
        arguments,
        sum(len(argument) for argument in arguments if argument is not None),
    )


def _spelled(step: Step) -> tuple[str, str, dict[str, object]]:
    match step:
        case Ask(statement, row, _):
            return "a", statement, row
        case Insert(statement, row, _, _):
            return "i", statement, row
        case Touch(statement, row, _):
            return "t", statement, row
        case Swap(_, replace, row, was, _, _, column):
            # By bytes, in the statement itself; who meets no row looks at the value (see PostgresStore.commit).
            return "t", f"{replace} AND {column} = :was_{column}", row | {f"was_{column}": was}
        case Sweep(statement, row):
            # As a question that finds nothing: `apply_changes` refuses any other statement that meets no row.
            return "a", f"WITH swept AS ({statement}) SELECT NULL", row
        case unreachable:
            assert_never(unreachable)


def _thread_of(write: Write) -> str | None:
    """The thread whose row is locked first: whoever writes anything in a thread has it for himself.

    A message and a run that come at the same moment are thereby one after the other on any two nodes, and a
    thread's lists grow at their ends only.
    """
    if isinstance(write, FileWrite):
        return None
    match write:
        case InsertAssistant() | ReplaceAssistant() | DeleteAssistant() | InsertThread() | RememberRequest():
            return None
        case ReplaceThread(thread):
            return thread.id
        case DeleteThread(id):
            return id
        case AddMessage(message) | InsertMessage(message) | ReplaceMessage(message):
            return message.thread_id
        case DeleteMessage(thread_id) | SetRunMetadata(thread_id):
            return thread_id
        case TakeCodeSession(thread_id) | LetGoOfCodeSession(thread_id):
            return thread_id
        case InsertRun(record) | ReplaceRun(record) | TakeRun(record):
            return record.run.thread_id
        case InsertStep(step_record) | ReplaceStep(step_record):
            return step_record.step.thread_id
        case unreachable:
            assert_never(unreachable)


def _run_of(write: Write) -> str | None:
    """The run whose row is locked next, before a renewal of leases can come in between."""
    match write:
        case ReplaceRun(record) | TakeRun(record):
            return record.run.id
        case SetRunMetadata(_, id):
            return id
        case _:
            return None
