"""Bring a SQLite file to the schema this program knows: forward only, one migration at a time, each whole.

A later release may have migrated before us, while both run side by side: what it added does no harm, unless the name of
its migration says that programs which know less may not serve the database any more.

A migration's statements and the row that says it was applied are one transaction, and the version is read
inside it: of two processes that start at once, the second finds the first one's work done.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files

from msgspec import Struct

from runstead.store.errors import NewerDatabase

FILE_NAME = re.compile(r"(\d{4})_\w+?(?:_since_(\d{4}))?\.sql")
"""`0009_drop_old_since_0007.sql`: whoever does not know version 7 needs what this takes away. Without it nothing is
taken away, and whoever served the database before may go on."""


class Migration(Struct, frozen=True):
    """One numbered step of the schema."""

    version: int
    name: str
    sql: str


def packaged_migrations(dialect: str) -> list[Migration]:
    """Those that came with the program, in order."""
    found: list[Migration] = []
    for file in files("runstead.store").joinpath("migrations", dialect).iterdir():
        match = FILE_NAME.fullmatch(file.name)
        if match:
            found.append(Migration(int(match[1]), file.name, file.read_text(encoding="utf-8")))
    return sorted(found, key=lambda migration: migration.version)


def migrate(connection: sqlite3.Connection, where: str, migrations: Sequence[Migration]) -> None:
    """Apply what is missing. Raises NewerDatabase; an error leaves the last whole version behind.

    The connection must be in autocommit mode with a busy timeout.
    """
    while _apply_next(connection, where, migrations):
        pass


def _apply_next(connection: sqlite3.Connection, where: str, migrations: Sequence[Migration]) -> bool:
    connection.execute("BEGIN IMMEDIATE")
    try:
        missing = first_missing(_applied(connection), where, migrations)
        if missing is not None:
            for statement in statements_in(missing.sql):
                connection.execute(statement)
            connection.execute("INSERT INTO migrations (version, name) VALUES (?, ?)", (missing.version, missing.name))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return missing is not None


def _applied(connection: sqlite3.Connection) -> dict[int, str]:
    connection.execute("CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL)")
    return dict(connection.execute("SELECT version, name FROM migrations").fetchall())


def first_missing(applied: Mapping[int, str], where: str, migrations: Sequence[Migration]) -> Migration | None:
    """The next step for a database with these. Raises NewerDatabase for one that programs like us may not serve."""
    version, known = max(applied, default=0), migrations[-1].version
    if not may_serve(applied, migrations):
        raise NewerDatabase(where, version, known)
    return next((migration for migration in migrations if migration.version > version), None)


def may_serve(applied: Mapping[int, str], migrations: Sequence[Migration]) -> bool:
    """Whether programs that know these migrations may serve a database with those."""
    known = migrations[-1].version
    return all(number <= known or _is_borne(known, name) for number, name in applied.items())


def _is_borne(known: int, name: str) -> bool:
    match = FILE_NAME.fullmatch(name)
    # A name that we cannot read is from so far ahead that its rules may have changed too.
    return match is not None and known >= int(match[2] or 0)


def statements_in(script: str) -> Iterator[str]:
    """The script's statements one by one: sqlite3's executescript would commit before it begins."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement
