"""EXT: has a model turn questions into words that search better, where a setting names one. API: `rewrite_query`."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import structlog

from runstead.domain.errors import ModelFailed
from runstead.ports import Model
from runstead.wire.chat import ChatMessage, ChatRequest

WITHIN = 5.0
"""Seconds a search waits for other words than its own."""
LONGEST = 1_000
"""Characters of a rewritten query. What is longer is an answer, and no query."""
MOST_TOKENS = 200
INSTRUCTIONS = (
    "You turn a user's question into one short query for a search engine over documents. Keep names, numbers and "
    "technical terms as they are, leave out politeness and filler, and use the language of the question. "
    "Reply with the query alone. Do not answer the question."
)

log = structlog.get_logger(__name__)


class Rewriter:
    """`name` is the model, as a client would name it."""

    def __init__(self, model: Model, name: str) -> None:
        self._model = model
        self._name = name

    async def rewrite(self, queries: Sequence[str]) -> list[str]:
        """A query for each; the original wherever the model fails, takes too long, or says nothing of use."""
        return list(await asyncio.gather(*map(self._rewritten, queries)))

    async def _rewritten(self, query: str) -> str:
        try:
            async with asyncio.timeout(WITHIN):
                said = await self._ask(query)
        except (ModelFailed, TimeoutError) as error:
            log.warning("a query was not rewritten", reason=str(error) or f"no answer within {WITHIN:g} seconds")
            return query
        rewritten = " ".join(said.split()).strip('"')
        return rewritten if 0 < len(rewritten) <= LONGEST else query

    async def _ask(self, query: str) -> str:
        messages = [ChatMessage(role="system", content=INSTRUCTIONS), ChatMessage(role="user", content=query)]
        request = ChatRequest(model=self._name, messages=messages, temperature=0.0, max_completion_tokens=MOST_TOKENS)
        said: list[str] = []
        async with aclosing(self._model.stream(request)) as batches:
            async for batch in batches:
                for chunk in batch:
                    for choice in (chunk.choices or [])[:1]:
                        if choice.delta is not None and choice.delta.content:
                            said.append(choice.delta.content)
        return "".join(said)
