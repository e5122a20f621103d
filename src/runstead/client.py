"""A running server as the command line speaks to it: the same API that everybody else uses."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import aiohttp
import msgspec

from runstead.domain.errors import RunsteadError

PAGE = 100
PIECE = 256 * 1024
QUIET_FOR = 300.0
"""Seconds without a byte after which a server is given up; an upload of any length may take longer."""

Json = dict[str, Any]


class ServerRefused(RunsteadError):
    """The server said no, and why."""


class NoServer(RunsteadError):
    """Nobody answers there."""


class Client:
    """Speaks to one server; use `connected`."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url.rstrip("/")

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str, key: str) -> AsyncIterator[Self]:
        """`url` ends in /v1."""
        headers = {"Authorization": f"Bearer {key}", "OpenAI-Beta": "assistants=v2"}
        timeout = aiohttp.ClientTimeout(total=None, connect=10.0, sock_read=QUIET_FOR)
        async with aiohttp.ClientSession(headers=headers, timeout=timeout, trust_env=True) as session:
            yield cls(session, url)

    async def get(self, path: str, **query: str) -> Json:
        """Raises ServerRefused or NoServer, as every method does."""
        return await self._ask("GET", path, params=query)

    async def post(self, path: str, body: Json) -> Json:
        """An object that was made or changed, or an answer."""
        return await self._ask("POST", path, json=body)

    async def items(self, path: str) -> AsyncIterator[Json]:
        """Everything that a list holds."""
        query = {"limit": str(PAGE)}
        while True:
            page = await self.get(path, **query)
            for item in page["data"]:
                yield item
            if not page["has_more"]:
                return
            query["after"] = page["last_id"]

    async def upload(self, path: Path, name: str, sent: Callable[[int], None]) -> Json:
        """A file for assistants, read and sent piece by piece. Raises OSError as well."""
        # Names as they are, in UTF-8. What no screen shows would end up in a header.
        form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
        name = "".join(letter if letter.isprintable() else "_" for letter in name)
        form.add_field("purpose", "assistants")
        form.add_field("file", _pieces(path, sent), filename=name, content_type="application/octet-stream")
        return await self._ask("POST", "/files", data=form)

    async def _ask(self, method: str, path: str, **what: Any) -> Json:
        try:
            async with self._session.request(method, f"{self._url}{path}", **what) as answer:
                return _read(answer.status, await answer.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoServer(f"{self._url} does not answer: {str(error) or type(error).__name__}.") from error


async def _pieces(path: Path, sent: Callable[[int], None]) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece
            sent(len(piece))


def _read(status: int, body: bytes) -> Json:
    try:
        read = msgspec.json.decode(body)
        if status < 400:
            return dict(read)
        raise ServerRefused(read["error"]["message"])
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        raise ServerRefused(f"The server answered {status} with something else than Runstead would.") from None
