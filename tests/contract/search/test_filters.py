"""Filters in PostgreSQL's words mean what the domain says they mean."""

import json

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runstead.domain.attribute_filter import Equals, Joined, OneOf, Ordered, matches
from runstead.search.postgres_filter import condition

KEYS = st.sampled_from(["a", "b", "odd \"'$.[0]\\"])
WORDS = st.sampled_from(["", "5", "a", "B", "ä", "😀", "true", "'", "\\", "\uffff"])
NUMBERS = st.sampled_from([0, 1, 5, 5.0, -1.5, 1e300, 0.1, 2**53])
VALUES = WORDS | NUMBERS | st.booleans()
LEAVES = (
    st.builds(Equals, st.sampled_from(["eq", "ne"]), KEYS, VALUES)
    | st.builds(Ordered, st.sampled_from(["gt", "gte", "lt", "lte"]), KEYS, WORDS | NUMBERS)
    | st.builds(OneOf, st.sampled_from(["in", "nin"]), KEYS, st.lists(VALUES, max_size=3).map(tuple))
)
FILTERS = st.recursive(
    LEAVES,
    lambda parts: st.builds(Joined, st.sampled_from(["and", "or"]), st.lists(parts, max_size=3).map(tuple)),
    max_leaves=6,
)
DOCUMENTS = st.lists(st.dictionaries(KEYS, VALUES, max_size=3), min_size=1, max_size=8)


@pytest.fixture
async def connection(postgres):
    opened = await asyncpg.connect(postgres.url())
    yield opened
    await opened.close()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filter=FILTERS, documents=DOCUMENTS)
async def test_both_let_the_same_files_through(connection, filter, documents):
    arguments = [[json.dumps(document) for document in documents]]
    wanted = condition(filter, arguments)

    rows = await connection.fetch(
        f"SELECT {wanted} AS found FROM unnest($1::text[]) WITH ORDINALITY given (text, place), "
        "LATERAL (SELECT text::jsonb AS attributes) read ORDER BY place",
        *arguments,
    )

    assert [row["found"] for row in rows] == [matches(filter, document) for document in documents]
