import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from runstead.store.errors import NewerDatabase
from runstead.store.migrate import Migration, migrate, packaged_migrations, statements_in

FIRST = Migration(1, "0001_first.sql", "CREATE TABLE a (x);")
SECOND = Migration(2, "0002_second.sql", "-- a; comment\nCREATE TABLE b (y);\nINSERT INTO b VALUES (';');")
BROKEN = Migration(2, "0002_broken.sql", "CREATE TABLE b (y);\nINSERT INTO nowhere VALUES (1);")


@pytest.fixture
def connection(tmp_path: Path):
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as connection:
        yield connection


def tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def applied(connection: sqlite3.Connection) -> list[tuple[int, str]]:
    return connection.execute("SELECT version, name FROM migrations ORDER BY version").fetchall()


def test_a_fresh_database_gets_every_migration(connection) -> None:
    migrate(connection, "a.db", [FIRST, SECOND])

    assert tables(connection) == {"migrations", "a", "b"}
    assert applied(connection) == [(1, FIRST.name), (2, SECOND.name)]


def test_migrating_again_changes_nothing(connection) -> None:
    migrate(connection, "a.db", [FIRST])
    migrate(connection, "a.db", [FIRST])

    assert applied(connection) == [(1, FIRST.name)]


def test_an_older_database_gets_what_it_lacks(connection) -> None:
    migrate(connection, "a.db", [FIRST])
    connection.execute("INSERT INTO a VALUES (7)")

    migrate(connection, "a.db", [FIRST, SECOND])

    assert connection.execute("SELECT x FROM a").fetchall() == [(7,)]
    assert connection.execute("SELECT y FROM b").fetchall() == [(";",)]


def test_a_newer_database_is_served_if_nothing_was_taken_away(connection) -> None:
    migrate(connection, "a.db", [FIRST, SECOND])

    migrate(connection, "a.db", [FIRST])

    assert applied(connection) == [(1, FIRST.name), (2, SECOND.name)]


@pytest.mark.parametrize("since", [1, 2])
def test_a_newer_database_is_served_by_those_who_know_what_replaced_what_was_taken_away(connection, since) -> None:
    taking = Migration(3, f"0003_drop_x_since_{since:04}.sql", "ALTER TABLE a RENAME x TO y")
    migrate(connection, "a.db", [FIRST, SECOND, taking])

    migrate(connection, "a.db", [FIRST, SECOND])


@pytest.mark.parametrize("name", ["0002_drop_x_since_0002.sql", "two"])
def test_a_newer_database_is_refused_with_both_versions_and_the_remedy(connection, name) -> None:
    migrate(connection, "a.db", [FIRST, Migration(2, name, SECOND.sql)])

    with pytest.raises(NewerDatabase, match=r"a\.db .* version 2 .* up to 1; start the newer release"):
        migrate(connection, "a.db", [FIRST])

    assert not connection.in_transaction


def test_a_failing_migration_leaves_the_version_before_it(connection) -> None:
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        migrate(connection, "a.db", [FIRST, BROKEN])

    assert tables(connection) == {"migrations", "a"}
    assert applied(connection) == [(1, FIRST.name)]
    assert not connection.in_transaction
    migrate(connection, "a.db", [FIRST, SECOND])
    assert applied(connection) == [(1, FIRST.name), (2, SECOND.name)]


def test_processes_that_start_at_once_migrate_once(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    program = """
import sqlite3, sys
from runstead.store.migrate import migrate, packaged_migrations
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
sys.stdin.read()
migrate(connection, "a.db", packaged_migrations("sqlite"))
"""
    command = [sys.executable, "-c", program, str(path)]
    starting = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(4)]
    for process in starting:
        assert process.stdin is not None
        process.stdin.close()

    assert [process.wait() for process in starting] == [0, 0, 0, 0]
    with closing(sqlite3.connect(path)) as connection:
        assert [version for version, _ in applied(connection)] == [
            migration.version for migration in packaged_migrations("sqlite")
        ]


def test_the_version_is_read_under_the_lock_that_writes(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as first,
        closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as second,
    ):
        migrate(first, "a.db", [FIRST])
        first.execute("BEGIN IMMEDIATE")

        # Also with nothing to apply: what it read could be out of date by the time it had the lock.
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            migrate(second, "a.db", [FIRST])


def test_packaged_migrations_are_numbered_without_gaps() -> None:
    versions = [migration.version for migration in packaged_migrations("sqlite")]

    assert versions == list(range(1, len(versions) + 1))


def test_a_script_is_split_where_its_statements_end() -> None:
    trigger = "CREATE TRIGGER t AFTER INSERT ON a BEGIN\n  DELETE FROM b;\n  DELETE FROM c;\nEND;\n"

    assert list(statements_in(f"SELECT ';';\n{trigger}SELECT 2")) == ["SELECT ';';\n", trigger, "SELECT 2"]
