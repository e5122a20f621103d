"""A look at an index without opening it for searches: nothing is written, made or locked."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

from runstead.domain.errors import Unavailable
from runstead.search.sqlite_schema import VERSION

Embedded: TypeAlias = Mapping[str | None, int]
"""How many files there are of each embedding; None are those that have no vectors."""

COUNT = "SELECT embedding, count(*) FROM {table} GROUP BY embedding"


def embedded_in_file(path: Path) -> Embedded | None:
    """None if there is none yet, or one of another release, which is begun anew. Raises Unavailable."""
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            if connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                return None
            return dict(connection.execute(COUNT.format(table="files")).fetchall())
    except sqlite3.Error as error:
        raise Unavailable(f"The search index {path} cannot be read: {error}.") from error
