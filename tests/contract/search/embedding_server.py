"""A server of embeddings and reranking on a loopback port, that answers as a test tells it to."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Answer = Callable[[dict[str, Any]], web.Response]


class EmbeddingServer:
    """Answers from `script` first, then as a good server does: the length of a text is its vector."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.script: list[Answer] = []

    async def embeddings(self, request: web.Request) -> web.Response:
        body = await self._hear(request)
        if self.script:
            return self.script.pop(0)(body)
        data = [{"embedding": [float(len(text)), 1.0], "index": i} for i, text in enumerate(body["input"])]
        # Nobody promises an order.
        return web.json_response({"data": data[::-1]})

    async def rerank(self, request: web.Request) -> web.Response:
        body = await self._hear(request)
        if self.script:
            return self.script.pop(0)(body)
        results = [{"index": i, "relevance_score": len(text) / 10} for i, text in enumerate(body["documents"])]
        return web.json_response({"results": results[::-1]})

    async def _hear(self, request: web.Request) -> dict[str, Any]:
        body: dict[str, Any] = await request.json()
        self.asked.append(body)
        self.headers.append(dict(request.headers))
        return body


@asynccontextmanager
async def serving() -> AsyncIterator[EmbeddingServer]:
    server = EmbeddingServer()
    app = web.Application(client_max_size=2**26)
    app.add_routes([web.post("/v1/embeddings", server.embeddings), web.post("/v1/rerank", server.rerank)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()
