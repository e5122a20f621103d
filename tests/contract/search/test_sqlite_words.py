"""Which of a query's words FTS5 is asked for: a common word costs a walk through all chunks that have it."""

import sqlite3

import pytest

from runstead.search import sqlite_words, sqlite_writes
from runstead.search.sqlite_schema import open_writer
from tests.contract.search.indexed import a_file

SAID = {"common": 30, "usual": 20, "seldom": 4, "rare": 1}
"""How many of the chunks say each word."""


@pytest.fixture
def connection(tmp_path):
    connection = open_writer(tmp_path / "search.db")
    texts = [" ".join(word for word, count in SAID.items() if number < count) for number in range(max(SAID.values()))]
    sqlite_writes.put(connection, a_file("file-1", [(text, []) for text in texts]))
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("worthwhile", "asked", "chosen"),
    [
        (100, "common rare usual seldom", "rare seldom usual common"),
        (30, "common rare usual seldom", "rare seldom usual"),
        (5, "common rare seldoms", "rare seldoms"),
        (4, "common rare seldom", "rare"),
        # The rarest of the common ones, rather than nothing.
        (3, "common usual", "usual"),
        (3, "common unheard usual", "usual"),
        (3, "unheard", ""),
        (3, "", ""),
    ],
)
def test_the_rarest_words_are_looked_for(connection: sqlite3.Connection, monkeypatch, worthwhile, asked, chosen):
    monkeypatch.setattr(sqlite_words, "WORTHWHILE", worthwhile)

    assert sqlite_words.telling(connection, asked.split()) == chosen.split()


def test_a_share_weighs_words_by_their_rarity(connection: sqlite3.Connection):
    alone, both, neither = (
        sqlite_words.share_of_words(connection, ["rare", "common"], text)
        for text in ("a rare one", "common and rare", "nothing")
    )

    assert both == pytest.approx(1)
    assert 0.9 < alone < 1
    assert neither == 0
