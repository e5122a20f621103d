"""Migrations take nothing away that the release before them needs: both serve one database while nodes are replaced."""

import re

import pytest

from runstead.store.migrate import FILE_NAME, packaged_migrations

FIRST_RELEASED = 2
"""The last version of the schema that no release had served before."""

NEEDED_BY_OLDER = {
    "DROP": r"\bDROP\b(?!\s+(?:INDEX|NOT\s+NULL|TRIGGER))",
    "RENAME": r"\bRENAME\b",
    "another type": r"\bALTER\s+(?:COLUMN\s+)?\w+\s+(?:SET\s+DATA\s+)?TYPE\b",
    "SET NOT NULL": r"\bSET\s+NOT\s+NULL\b",
    "a column that has to be written": r"\bADD\s+(?:COLUMN\s+)?(?!CONSTRAINT)\w+\s(?=[^,;]*\bNOT\s+NULL\b)(?![^,;]*\bDEFAULT\b)",
    "another constraint": r"\bADD\s+(?:CONSTRAINT|CHECK|UNIQUE|FOREIGN|PRIMARY)\b",
    "a replaced function": r"\bCREATE\s+OR\s+REPLACE\b",
    "deleted rows": r"\b(?:TRUNCATE|DELETE\s+FROM)\b",
}
UNIQUE_INDEX = re.compile(r"\bCREATE\s+UNIQUE\s+INDEX\b[^;]*?\bON\s+(\w+)", re.IGNORECASE)
NEW_TABLE = re.compile(r"\bCREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+)", re.IGNORECASE)


def takes_away(sql: str) -> list[str]:
    """What a release that does not know this migration would miss, or trip over."""
    plain = re.sub(r"\$\$.*?\$\$|'[^']*'|--[^\n]*", " ", sql, flags=re.DOTALL)
    plain = re.sub(r"\bCREATE\s+TRIGGER\b.*?\bEND\s*;", " ", plain, flags=re.DOTALL | re.IGNORECASE)
    found = [what for what, pattern in NEEDED_BY_OLDER.items() if re.search(pattern, plain, re.IGNORECASE)]
    if set(UNIQUE_INDEX.findall(plain)) - set(NEW_TABLE.findall(plain)):
        found.append("a unique index on what is there")
    return found


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_migrations_only_add_or_say_since_when_nobody_needs_what_they_take_away(dialect: str) -> None:
    for migration in packaged_migrations(dialect):
        match = FILE_NAME.fullmatch(migration.name)
        assert match is not None
        if migration.version > FIRST_RELEASED and match[2] is None:
            assert takes_away(migration.sql) == [], migration.name


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("DROP TABLE runs;", "DROP"),
        ("ALTER TABLE runs DROP COLUMN extra;", "DROP"),
        ("alter table runs rename column extra to more;", "RENAME"),
        ("ALTER TABLE runs ALTER COLUMN epoch TYPE text;", "another type"),
        ("ALTER TABLE runs ALTER epoch SET DATA TYPE text;", "another type"),
        ("ALTER TABLE runs ALTER COLUMN owner SET NOT NULL;", "SET NOT NULL"),
        ("ALTER TABLE runs ADD COLUMN kind text NOT NULL;", "a column that has to be written"),
        ("ALTER TABLE runs ADD kind text NOT NULL;", "a column that has to be written"),
        ("ALTER TABLE runs ADD CONSTRAINT c CHECK (epoch > 0);", "another constraint"),
        (
            "CREATE OR REPLACE FUNCTION apply_changes() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;",
            "a replaced function",
        ),
        ("DELETE FROM writers;", "deleted rows"),
        ("CREATE UNIQUE INDEX one ON runs (owner);", "a unique index on what is there"),
    ],
)
def test_what_takes_away_is_found(sql: str, what: str) -> None:
    assert what in takes_away(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE more (id text PRIMARY KEY, kind text NOT NULL); CREATE UNIQUE INDEX one ON more (kind);",
        "ALTER TABLE runs ADD COLUMN kind text;",
        "ALTER TABLE runs ADD COLUMN kind text NOT NULL DEFAULT 'run';",
        "CREATE INDEX runs_by_kind ON runs (kind); -- DROP nothing",
        "ALTER TABLE runs ALTER COLUMN owner DROP NOT NULL;",
        "DROP INDEX runs_by_deadline;",
    ],
)
def test_what_adds_is_let_pass(sql: str) -> None:
    assert takes_away(sql) == []
