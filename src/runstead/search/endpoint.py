"""One JSON question to a server that embeds or reranks: asked again where that may help, and judged."""

import asyncio
import ssl
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import msgspec

from runstead.domain.errors import EmbeddingFailed

T = TypeVar("T")

ATTEMPTS = 4
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
TIMEOUT = aiohttp.ClientTimeout(total=120, connect=10)
LONGEST_ANSWER = 128 * 1024 * 1024
_SHOWN = 300


class Endpoint:
    """Needs a running loop. `url` is a base URL ending in /v1."""

    def __init__(
        self, url: str, *, key: str | None = None, ca_file: Path | None = None, first_pause: float = FIRST_PAUSE
    ) -> None:
        self._url = url
        self._first_pause = first_pause
        try:
            context = ssl.create_default_context(cafile=str(ca_file)) if ca_file else True
        except OSError as error:
            raise EmbeddingFailed(f"RUNSTEAD_MODEL_CA cannot be read: {error}") from error
        self._session = aiohttp.ClientSession(
            timeout=TIMEOUT,
            trust_env=True,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            connector=aiohttp.TCPConnector(ssl=context),
        )

    async def post(self, path: str, body: Any, decoder: msgspec.json.Decoder[T]) -> T:
        """The decoded answer. Raises EmbeddingFailed: after some attempts for what may pass, else at once."""
        pause = self._first_pause
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._post_once(path, body, decoder)
            except _MayPass as trouble:
                if attempt == ATTEMPTS:
                    raise EmbeddingFailed(f"{self._url}/{path} {trouble.what}") from None
                await asyncio.sleep(min(trouble.wait or pause, LONGEST_PAUSE))
                pause = min(2 * pause, LONGEST_PAUSE)
        raise AssertionError("the last attempt returns or raises")

    async def close(self) -> None:
        await self._session.close()

    async def _post_once(self, path: str, body: Any, decoder: msgspec.json.Decoder[T]) -> T:
        data, headers = msgspec.json.encode(body), {"Content-Type": "application/json"}
        try:
            async with self._session.post(f"{self._url}/{path}", data=data, headers=headers) as response:
                if response.status != 200:
                    await self._refuse(path, response)
                content = await _whole(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _MayPass(f"does not answer: {str(error) or 'it takes too long'}") from error
        try:
            return decoder.decode(content)
        except msgspec.DecodeError as error:
            raise EmbeddingFailed(f"{self._url}/{path} sent no usable answer: {error}") from error

    async def _refuse(self, path: str, response: aiohttp.ClientResponse) -> None:
        said = (await response.content.read(4096)).decode("utf-8", "replace")
        what = f"answered {response.status}: {' '.join(said.split())[:_SHOWN]}"
        if response.status in (408, 409, 429) or response.status >= 500:
            raise _MayPass(what, _seconds(response.headers.get("Retry-After")))
        raise EmbeddingFailed(f"{self._url}/{path} {what}")


class _MayPass(Exception):
    def __init__(self, what: str, wait: float | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.wait = wait


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    left = LONGEST_ANSWER
    while part := await response.content.readany():
        parts.append(part)
        left -= len(part)
        if left < 0:
            raise EmbeddingFailed(f"{response.url} sent more than {LONGEST_ANSWER // 2**20} MiB.")
    return b"".join(parts)


def _seconds(header: str | None) -> float | None:
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None
