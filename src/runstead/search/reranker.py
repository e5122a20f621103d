"""A cross-encoder behind a URL: `/rerank` as text-embeddings-inference, vLLM, Jina and Cohere answer it."""

import math
from collections.abc import Sequence

import msgspec

from runstead.domain.errors import EmbeddingFailed
from runstead.search.endpoint import Endpoint


class _Result(msgspec.Struct):
    index: int
    relevance_score: float | None = None
    # How text-embeddings-inference calls it.
    score: float | None = None


class _Results(msgspec.Struct):
    results: list[_Result]


_DECODER: msgspec.json.Decoder[_Results | list[_Result]] = msgspec.json.Decoder(_Results | list[_Result])


class EndpointReranker:
    """Needs a running loop."""

    def __init__(self, endpoint: Endpoint, model: str | None) -> None:
        self._endpoint = endpoint
        self._model = model

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        if not texts:
            return []
        # Each server reads its own name for the texts and overlooks the other.
        body = {"query": query, "documents": list(texts), "texts": list(texts), "return_documents": False}
        if self._model:
            body["model"] = self._model
        answer = await self._endpoint.post("rerank", body, _DECODER)
        results = answer.results if isinstance(answer, _Results) else answer
        scores = [0.0] * len(texts)
        for result in results:
            score = result.relevance_score if result.relevance_score is not None else result.score
            if not 0 <= result.index < len(texts) or score is None or not math.isfinite(score):
                raise EmbeddingFailed("The reranking server sent a score of nothing.")
            scores[result.index] = min(1.0, max(0.0, score))
        return scores

    async def close(self) -> None:
        await self._endpoint.close()
