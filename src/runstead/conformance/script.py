"""Telling a scripted model what to say next, so that a check knows what its run must come to."""

from typing import Any

import aiohttp

from runstead.conformance.kinds import Json


class Script:
    """The model that the server under test asks; one script at a time, as the checks run one after the other."""

    def __init__(self, session: aiohttp.ClientSession, model_url: str, model: str) -> None:
        self._session = session
        self._url = f"{model_url.removesuffix('/v1')}/scripts/{model}"
        self.model = model

    async def will(self, *turns: Json) -> None:
        """Answer the next calls with these turns; forgets what was received before."""
        await self._ask("PUT", "", {"turns": turns})

    async def requests(self) -> list[Json]:
        """The bodies that came for the model since its script was written, oldest first."""
        return [call["body"] for call in await self._ask("GET", "/requests")]

    async def has_been_asked(self, seconds: float) -> bool:
        """Whether a call came within so many seconds."""
        counts: Json = await self._ask("GET", f"/wait?requests=1&timeout={seconds}")
        return bool(counts["requests"])

    async def is_held(self, seconds: float) -> bool:
        """Whether a turn reached the place where it was told to hold."""
        counts: Json = await self._ask("GET", f"/wait?held=1&timeout={seconds}")
        return bool(counts["held"])

    async def release(self) -> None:
        """Let a turn that holds go on."""
        await self._ask("POST", "/release")

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        async with self._session.request(method, f"{self._url}{path}", json=body) as answer:
            return await answer.json()


def text(words: str, **how: Any) -> Json:
    """A turn that says something, one piece a word."""
    return {"text": words, **how}


def calls(*named: tuple[str, str], **how: Any) -> Json:
    """A turn that calls functions, each a name and its arguments as JSON."""
    return {"tool_calls": [{"name": name, "arguments": arguments} for name, arguments in named], **how}


def refusal(status: int, message: str, code: str | None = None) -> Json:
    """A turn that is an error of the model's server."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return {"status": status, "body": {"error": error}}
