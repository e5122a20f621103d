"""Is this process alive, and can it take work? Open to everybody who can reach the port."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


def routes(is_ready: Callable[[], bool]) -> list[Route]:
    """/healthz and /readyz."""

    async def healthz(request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def readyz(request: Request) -> JSONResponse:
        if is_ready():
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "stopping"}, status_code=503)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]
