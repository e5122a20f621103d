"""Search by words in PostgreSQL: which words are worth looking for, and BM25 of the best chunks that say them."""

from collections.abc import Mapping

from runstead.search.bm25 import bm25, share
from runstead.search.postgres_reads import Scope
from runstead.search.postgres_schema import Connection
from runstead.search.rank import DEPTH, Found
from runstead.search.words import words_of

COMMON = 500
"""Chunks with a word above which it is common, in a small index; in a large one every fiftieth chunk may have it.

A common word weighs, but nothing is looked for by it if there are rarer ones.
"""
COMMON_PART = 50
CANDIDATES = 100
"""Chunks with the rarest words, whose words are counted."""
SAMPLED = 1_000
"""Chunks of a large store in which its common words are counted, once."""
LARGE = 10 * SAMPLED
GROWN = 1.5
"""How much a store may grow or shrink before they are counted anew."""

# Chunks with the rarest words are looked for; only of those are words counted. A lexeme becomes a query by quoting it.
# What is known to be common is not even asked for: the index would have to name every chunk that says it.
_BY_WORDS = r"""
WITH terms AS (
    SELECT row_number() OVER () AS term, known.chunks,
           ('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''')::tsquery AS q
      FROM unnest(to_tsvector('english', $1)) LEFT JOIN unnest($5::text[], $6::float8[]) known (lexeme, chunks) USING (lexeme)
), matched AS MATERIALIZED (
    SELECT term, file_no, position FROM terms CROSS JOIN LATERAL (
        SELECT file_no, position FROM search_chunks WHERE words @@ q AND store_no = ANY ($2) {files} LIMIT $4
    ) found WHERE chunks IS NULL
), counts AS MATERIALIZED (
    SELECT term, count(*)::float8 AS chunks FROM matched GROUP BY term
    UNION ALL SELECT term, chunks FROM terms WHERE chunks IS NOT NULL
), best AS (
    SELECT file_no, position FROM matched JOIN counts USING (term)
     WHERE chunks < $4 OR NOT EXISTS (SELECT 1 FROM counts WHERE chunks < $4)
     GROUP BY file_no, position ORDER BY sum(ln(1 + $3 / chunks)) DESC, file_no, position LIMIT {candidates}
), unpacked AS MATERIALIZED (
    -- Joined with nothing, so that it is unpacked once and not once for each term.
    SELECT file_no, position, words || ''::tsvector AS words FROM best JOIN search_chunks USING (file_no, position)
)
SELECT file_no, position, length(words),
       (SELECT array_agg(ts_rank(words, q)::float8 ORDER BY term) FROM terms JOIN counts USING (term)),
       (SELECT array_agg(chunks ORDER BY term) FROM counts), (SELECT count(*) FROM terms)
  FROM unpacked
"""
_SOME_CHUNKS = "search_chunks TABLESAMPLE SYSTEM ({percent}) REPEATABLE (1) WHERE store_no = {store}"
_SAID = """
SELECT word, ndoc::float8 / sampled AS part FROM (SELECT count(*) AS sampled FROM {chunks}) counted, ts_stat('SELECT words FROM {chunks}')
 WHERE sampled >= {enough} AND ndoc * {part} > sampled
"""


class CommonWords:
    """What large stores say all the time, by a sample of each. Whoever asks first waits for it to be counted."""

    def __init__(self) -> None:
        # A store's chunks when they were counted, and the part of them that says each word.
        self._counted: dict[int, tuple[int, Mapping[str, float]]] = {}

    async def of(self, connection: Connection, scope: Scope) -> dict[str, float]:
        """In how many chunks of these stores each of their common words is said, more or less."""
        counts: dict[str, float] = {}
        for store, chunks in scope.chunks.items():
            if chunks < LARGE:
                self._counted.pop(store, None)
                continue
            for word, part in (await self._parts(connection, store, chunks)).items():
                counts[word] = counts.get(word, 0.0) + part * chunks
        common = _common(scope)
        return {word: count for word, count in counts.items() if count >= common}

    async def _parts(self, connection: Connection, store: int, chunks: int) -> Mapping[str, float]:
        then, parts = self._counted.get(store, (0, {}))
        if not chunks / GROWN <= then <= chunks * GROWN:
            some = _SOME_CHUNKS.format(percent=100 * SAMPLED / chunks, store=store)
            said = await connection.fetch(_SAID.format(chunks=some, enough=SAMPLED // 4, part=COMMON_PART))
            parts = {row["word"]: row["part"] for row in said}
            self._counted[store] = chunks, parts
        return parts


async def by_words(connection: Connection, scope: Scope, text: str, common: Mapping[str, float]) -> Found:
    """What says the words of a query, strongest first. `common` are words that need not be looked for."""
    words = " ".join(words_of(text))
    if not words:
        return Found([], [])
    files = "" if scope.files is None else "AND file_no = ANY ($7)"
    statement = _BY_WORDS.format(files=files, candidates=CANDIDATES)
    chunks = sum(scope.chunks.values())
    arguments = [words, scope.stores, float(chunks), _common(scope), list(common), list(common.values())]
    rows = await connection.fetch(statement, *arguments, *([] if scope.files is None else [scope.files]))
    if not rows and common:
        # Nobody says anything else of it.
        return await by_words(connection, scope, text, {})
    best = bm25(rows, chunks)[:DEPTH]
    return Found(best, [], share=share(rows, chunks, best[0][0]) if best else 0.0)


def _common(scope: Scope) -> int:
    return max(COMMON, sum(scope.chunks.values()) // COMMON_PART)
