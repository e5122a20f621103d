"""Bring a SQLite file to the schema this program knows: forward only, one migration at a time, each whole.

A migration's statements and the row that says it was applied are one transaction, and the version is read
inside it: of two processes that start at once, the second finds the first one's work done.
"""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from importlib.resources import files

from msgspec import Struct

from runstead.store.errors import NewerDatabase

FILE_NAME = re.compile(r"(\d{4})_\w+\.sql")


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
        missing = first_missing(_version(connection), where, migrations)
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


def _version(connection: sqlite3.Connection) -> int:
    connection.execute("CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL)")
    version: int = connection.execute("SELECT coalesce(max(version), 0) FROM migrations").fetchone()[0]
    return version


def first_missing(version: int, where: str, migrations: Sequence[Migration]) -> Migration | None:
    known = migrations[-1].version
    if version > known:
        raise NewerDatabase(where, version, known)
    return next((migration for migration in migrations if migration.version > version), None)


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
