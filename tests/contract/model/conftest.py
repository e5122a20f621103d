"""One scripted server for a session, and a model of its own for each test."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from aiohttp import ClientSession

from runstead.model.chat_completions import ChatCompletions
from runstead.model.retry import RetryPolicy
from runstead.wire.chat import ChatChunk, ChatMessage, ChatRequest

_numbers = count(1)
QUICK = RetryPolicy(first_wait=0.001)


@dataclass
class Upstream:
    """A model of the scripted server, as one test directs it."""

    base_url: str
    name: str
    http: ClientSession

    async def plays(self, *turns: dict[str, Any], **script: Any) -> None:
        await self.ask("PUT", "", json={"turns": list(turns), **script})

    async def requests(self) -> list[dict[str, Any]]:
        return await self.ask("GET", "/requests")

    async def bodies(self) -> list[dict[str, Any]]:
        return [request["body"] for request in await self.requests()]

    async def waits(self, **counts: int) -> None:
        await self.ask("GET", "/wait", params=counts)

    async def release(self) -> None:
        await self.ask("POST", "/release")

    async def ask(self, method: str, path: str, **extra: Any) -> Any:
        url = f"{self.base_url.removesuffix('/v1')}/scripts/{self.name}{path}"
        async with self.http.request(method, url, **extra) as response:
            assert response.status == 200, await response.text()
            return await response.json()


@pytest.fixture(scope="session")
def scripted_url() -> Iterator[str]:
    command = [sys.executable, "-m", "runstead.model.scripted", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().split()[-1]
        server.terminate()


@pytest.fixture
async def upstream(scripted_url: str) -> AsyncIterator[Upstream]:
    async with ClientSession() as http:
        yield Upstream(scripted_url, f"m{next(_numbers)}", http)


@pytest.fixture
async def model(scripted_url: str) -> AsyncIterator[ChatCompletions]:
    """The adapter with a key and short waits."""
    adapter = ChatCompletions(scripted_url, key="sk-a-secret", idle_limit=20.0, retry=QUICK)
    yield adapter
    await adapter.close()


def asking(name: str, text: str = "Hello there", **fields: Any) -> ChatRequest:
    return ChatRequest(model=name, messages=[ChatMessage(role="user", content=text)], **fields)


class Heard:
    """What a stream said, in all."""

    def __init__(self, chunks: list[ChatChunk]) -> None:
        self.chunks = chunks
        choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
        deltas = [choice.delta for choice in choices if choice.delta is not None]
        self.text = "".join(delta.content or "" for delta in deltas)
        self.refusal = "".join(delta.refusal or "" for delta in deltas)
        self.calls = [call for delta in deltas for call in delta.tool_calls or []]
        self.names = [call.function.name for call in self.calls if call.function and call.function.name]
        self.arguments = "".join(str(call.function.arguments or "") for call in self.calls if call.function)
        self.finish_reasons = [choice.finish_reason for choice in choices if choice.finish_reason is not None]
        self.usage = next((chunk.usage for chunk in reversed(chunks) if chunk.usage is not None), None)


async def hear(model: ChatCompletions, request: ChatRequest) -> Heard:
    return Heard([chunk async for batch in model.stream(request) for chunk in batch])
