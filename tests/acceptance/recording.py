"""Writes down every answer of the acceptance tests, for the tests in tests/schema that judge them all.

Only where RUNSTEAD_RECORDINGS names a folder. The official clients are listened to inside: what they read is noted as it
passes, and nothing stands between them and the server.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from openai import AsyncOpenAI, OpenAI

FOLDER = "RUNSTEAD_RECORDINGS"


def record(method: str, path: str, sent: Mapping[str, str], status: int, kind: str, body: bytes) -> None:
    """Note an answer; `sent` are the request's headers."""
    folder = os.environ.get(FOLDER)
    if folder is None or not path.startswith("/v1/"):
        return
    beta = {name.lower(): value for name, value in sent.items()}.get("openai-beta", "")
    answer = {
        "wire": "v1" if "assistants=v1" in beta.replace(" ", "").lower() else "v2",
        "method": method,
        "path": urlsplit(path).path,
        "status": status,
        "kind": kind.partition(";")[0],
        "body": body.decode("utf-8", "replace"),
    }
    with (Path(folder) / f"{os.getpid()}.jsonl").open("a") as lines:
        lines.write(json.dumps(answer) + "\n")


@contextmanager
def listening() -> Iterator[None]:
    """Every official client that is made in the block notes what it is answered."""
    if FOLDER not in os.environ:
        yield
        return
    kinds: list[Any] = [OpenAI, AsyncOpenAI]
    originals = [kind.__init__ for kind in kinds]
    for kind, original in zip(kinds, originals, strict=True):
        kind.__init__ = _overheard(original, _hear if kind is OpenAI else _hear_async)
    try:
        yield
    finally:
        for kind, original in zip(kinds, originals, strict=True):
            kind.__init__ = original


def _overheard(original: Callable[..., None], hook: Callable[[Any], Any]) -> Callable[..., None]:
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        hooks = self._client.event_hooks["response"]
        # A copy of a client with other options shares the connections of the first.
        if hook not in hooks:
            hooks.append(hook)

    return init


def _hear(response: Any) -> None:
    response.stream = _tee(response, "SyncByteStream")


async def _hear_async(response: Any) -> None:
    response.stream = _tee(response, "AsyncByteStream")


def _tee(response: Any, base: str) -> Any:
    """The response's bytes, noted when they are read to their end, or the reader leaves."""
    # The newest clients bring another package of the same shape.
    package = sys.modules[type(response).__module__.partition(".")[0]]
    inner, request, kept = response.stream, response.request, bytearray()

    def note() -> None:
        kind = response.headers.get("content-type", "")
        record(request.method, request.url.raw_path.decode(), request.headers, response.status_code, kind, bytes(kept))
        kept.clear()

    class Tee(getattr(package, base)):  # type: ignore[misc] # a class by its name
        def __iter__(self) -> Iterator[bytes]:
            for chunk in inner:
                kept.extend(chunk)
                yield chunk

        async def __aiter__(self) -> Any:
            async for chunk in inner:
                kept.extend(chunk)
                yield chunk

        def close(self) -> None:
            inner.close()
            note()

        async def aclose(self) -> None:
            await inner.aclose()
            note()

    return Tee()
