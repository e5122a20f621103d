"""Is this process alive, can it take work, and how much does it do? Open to everybody who can reach the port."""

import asyncio
from collections.abc import Awaitable, Callable

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runstead.domain.errors import Unavailable
from runstead.ports import Store

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


HIDDEN_FILES = (
    "Contents of files that are uploaded here lie in a folder, where nodes on other machines do not see them: set "
    "RUNSTEAD_BLOBS_URL to a bucket, on every node."
)
PATIENCE = 2.0
"""Seconds the store may take to answer, before this node is held to be cut off from it."""


class State(Struct, frozen=True):
    """What readiness depends on."""

    is_stopping: Callable[[], bool]
    is_told: Callable[[], bool]
    store: Store
    hides_files: bool = False

    async def judge(self) -> tuple[int, str]:
        """A status for balancers, and a word for people. Without the bus runs go on, only later: that is ready."""
        if self.is_stopping():
            return 503, "stopping"
        try:
            async with asyncio.timeout(PATIENCE):
                await self.store.next_deadline()
        except (Unavailable, TimeoutError):
            return 503, "the store does not answer"
        return 200, "ready" if self.is_told() else "degraded"


def routes(state: State, metrics_page: Callable[[], Awaitable[bytes]]) -> list[Route]:
    """/healthz, /readyz and /metrics."""

    async def healthz(request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def readyz(request: Request) -> JSONResponse:
        status, word = await state.judge()
        warnings = {"warnings": [HIDDEN_FILES]} if state.hides_files else {}
        return JSONResponse({"status": word, **warnings}, status_code=status)

    async def metrics(request: Request) -> Response:
        return Response(await metrics_page(), headers={"content-type": PROMETHEUS})

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
