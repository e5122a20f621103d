"""Is this process alive, can it take work, and how much does it do? Open to everybody who can reach the port."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def routes(is_ready: Callable[[], bool], metrics_page: Callable[[], bytes]) -> list[Route]:
    """/healthz, /readyz and /metrics."""

    async def healthz(request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def readyz(request: Request) -> JSONResponse:
        if is_ready():
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "stopping"}, status_code=503)

    async def metrics(request: Request) -> Response:
        return Response(metrics_page(), headers={"content-type": PROMETHEUS})

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
