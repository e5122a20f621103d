"""What a check is given: the server in one version, a model behind it, and objects that are tidied away afterwards."""

import asyncio
import contextlib
from typing import Any

import aiohttp

from runstead.conformance.client import Api, Event, Unmet
from runstead.conformance.kinds import Json
from runstead.conformance.script import Script
from runstead.conformance.shapes import Wire

RESTING = frozenset({"requires_action", "cancelled", "completed", "failed", "expired", "incomplete"})
PATIENCE = 30.0
"""Seconds in which a run has to come to rest."""
PAUSE = 0.02
FUNCTION: Json = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


class World:
    """One check's view of the server under test."""

    def __init__(self, apis: dict[Wire, Api], wire: Wire, model: str, script: Script | None) -> None:
        self._apis = apis
        self.wire = wire
        self.model = model
        self._script = script
        self._made: list[str] = []

    @property
    def api(self) -> Api:
        """The version that is being checked."""
        return self._apis[self.wire]

    def over(self, wire: Wire) -> Api:
        """The same server in a version of choice."""
        return self._apis[wire]

    @property
    def has_script(self) -> bool:
        """Whether the model behind the server says what it is told."""
        return self._script is not None

    @property
    def script(self) -> Script:
        """The scripted model. Only checks that need it may ask."""
        assert self._script is not None
        return self._script

    async def assistant(self, **fields: Any) -> Json:
        made = await self.api.post("/assistants", {"model": self.model, **fields})
        self.keep_track(f"/assistants/{made['id']}")
        return made

    async def thread(self, *said: str, **fields: Any) -> Json:
        """A thread in which a user said these things."""
        messages = [{"role": "user", "content": words} for words in said]
        made = await self.api.post("/threads", {**({"messages": messages} if messages else {}), **fields})
        self.keep_track(f"/threads/{made['id']}")
        return made

    async def file(self, contents: bytes = b"Oslo is cold in winter.", name: str = "notes.txt") -> Json:
        """A file that was uploaded for assistants."""
        form = aiohttp.FormData({"purpose": "assistants"})
        form.add_field("file", contents, filename=name)
        made = await self.api.post("/files", form)
        self.keep_track(f"/files/{made['id']}")
        return made

    async def store(self, *files: Json, **fields: Any) -> Json:
        """A vector store whose files have been read."""
        body = {"file_ids": [file["id"] for file in files], **fields}
        made = await self.api.post("/vector_stores", {name: value for name, value in body.items() if value})
        self.keep_track(f"/vector_stores/{made['id']}")
        return await self.processed(f"/vector_stores/{made['id']}")

    async def processed(self, path: str) -> Json:
        """A store, one of its files or a batch, when the server has done what it had to."""
        until = asyncio.get_running_loop().time() + PATIENCE
        while (found := await self.api.get(path))["status"] == "in_progress":
            if asyncio.get_running_loop().time() > until:
                raise Unmet(f"after {PATIENCE:g} seconds {path} is still in progress")
            await asyncio.sleep(PAUSE)
        return found

    def keep_track(self, path: str) -> None:
        """Delete an object when the check is over, whatever becomes of it."""
        self._made.append(path)

    async def run(self, assistant: Json | None = None, thread: Json | None = None, **fields: Any) -> Json:
        """A run as its creation answers it; on a new assistant and thread unless they are given."""
        assistant = assistant or await self.assistant()
        thread = thread or await self.thread("Hello")
        return await self.api.post(f"/threads/{thread['id']}/runs", {"assistant_id": assistant["id"], **fields})

    async def settled(self, run: Json) -> Json:
        """The run when it has ended, or waits for outputs."""
        path = path_of(run)
        until = asyncio.get_running_loop().time() + PATIENCE
        while run["status"] not in RESTING:
            if asyncio.get_running_loop().time() > until:
                raise Unmet(f"after {PATIENCE:g} seconds the run is still {run['status']}")
            # A client polls: nothing else announces the end of a run that is not streamed.
            await asyncio.sleep(PAUSE)
            run = await self.api.get(path)
        return run

    async def begun(self, run: Json) -> Json:
        """The run when it has a step, or has come to rest without one."""
        until = asyncio.get_running_loop().time() + PATIENCE
        while run["status"] not in RESTING and not await self.steps(run):
            if asyncio.get_running_loop().time() > until:
                raise Unmet(f"after {PATIENCE:g} seconds the run has no step")
            await asyncio.sleep(PAUSE)
            run = await self.api.get(path_of(run))
        return run

    async def ended(self, status: str = "completed", **fields: Any) -> Json:
        """A new run that has come to rest in this status."""
        return expect_status(await self.settled(await self.run(**fields)), status)

    async def waiting(self, *turns: Json, **assistant: Any) -> Json:
        """A run that waits for the outputs of what the first turn calls."""
        await self.script.will(*turns)
        made = await self.assistant(tools=[FUNCTION], **assistant)
        return expect_status(await self.settled(await self.run(made)), "requires_action")

    async def streamed(self, **fields: Any) -> list[Event]:
        """Every event of a new run on a new thread."""
        assistant, thread = await self.assistant(), await self.thread("Hello")
        return await self.api.events(f"/threads/{thread['id']}/runs", {"assistant_id": assistant["id"], **fields})

    async def steps(self, run: Json) -> list[Json]:
        """The run's steps, oldest first."""
        found: list[Json] = (await self.api.get(f"{path_of(run)}/steps?order=asc"))["data"]
        return found

    async def messages(self, run: Json) -> list[Json]:
        """The messages of the run's thread, oldest first."""
        found: list[Json] = (await self.api.get(f"/threads/{run['thread_id']}/messages?order=asc"))["data"]
        return found

    async def tidy(self) -> None:
        """Delete what the check made. What a server does not delete is for the checks of deletion to tell."""
        for path in reversed(self._made):
            with contextlib.suppress(Unmet):
                await self.api.send("DELETE", path)


def path_of(run: Json) -> str:
    return f"/threads/{run['thread_id']}/runs/{run['id']}"


def calls_of(run: Json) -> list[Json]:
    """The calls that a run waits for."""
    found: list[Json] = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    return found


def outputs_for(run: Json, output: str = "sunny") -> Json:
    """A body that answers every call."""
    return {"tool_outputs": [{"tool_call_id": call["id"], "output": output} for call in calls_of(run)]}


def words_of(message: Json) -> str:
    """The text of a message, which must be its only part."""
    [part] = message["content"]
    return str(part["text"]["value"])


def expect(actual: Any, wanted: Any, what: str) -> None:
    """Raise Unmet unless both are the same."""
    if actual != wanted:
        raise Unmet(f"{what} is {actual!r} instead of {wanted!r}")


def expect_status(run: Json, status: str) -> Json:
    reason = f" ({run['last_error']['message']})" if run.get("last_error") else ""
    if run["status"] != status:
        raise Unmet(f"the run's status is {run['status']!r} instead of {status!r}{reason}")
    return run
