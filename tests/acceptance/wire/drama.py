"""A server of a test's own, and a thread on which a scripted model acts."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.acceptance.processes import Server, start_server
from tests.acceptance.scripted import Json, Model
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.talk import ENDED, RESTING, Api, Raw, request

LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


@dataclass
class Starter:
    """Starts a server again and again on the same data."""

    data_dir: Path
    model_url: str
    _all: ExitStack
    _last: Server | None = None

    def __call__(self, *arguments: str, model_url: str | None = None, **variables: str) -> Server:
        """A server that listens. RUNSTEAD_DRAIN_FOR is short unless the test says otherwise."""
        variables = {"RUNSTEAD_DRAIN_FOR": "3", **variables}
        self._last = start_server(self.data_dir, model_url or self.model_url, *arguments, **variables)
        return self._all.enter_context(self._last)

    @property
    def running(self) -> Server:
        """The server that was started last."""
        assert self._last is not None
        return self._last


@dataclass(frozen=True)
class Drama:
    """An assistant with one function, and a thread."""

    api: Api
    model: Model
    assistant: str
    thread: str

    @classmethod
    def open(cls, api: Api, model: Model) -> "Drama":
        assistant = api.post("/assistants", {"model": model.name, "tools": [LOOK]})["id"]
        thread = api.post("/threads", {"messages": [{"role": "user", "content": "Hello"}]})["id"]
        return cls(api, model, assistant, thread)

    def at(self, api: Api) -> "Drama":
        """The same play on another stage: after a restart the server has another address."""
        return Drama(api, self.model, self.assistant, self.thread)

    @property
    def path(self) -> str:
        return f"/threads/{self.thread}"

    def start(self, **options: Any) -> Json:
        """A run as it was answered."""
        return self.api.post(f"{self.path}/runs", {"assistant_id": self.assistant, **options})

    def run(self, id: str) -> Json:
        return self.api.get(f"{self.path}/runs/{id}")

    def ended(self, id: str) -> Json:
        """The run once it has ended."""
        return eventually(lambda: self.run(id), lambda run: run["status"] in ENDED)

    def rested(self, id: str) -> Json:
        """The run once it has ended or waits for its client."""
        return eventually(lambda: self.run(id), lambda run: run["status"] in RESTING)

    def submit(self, run: Json, output: str = "seen") -> Json:
        """Answer every pending call."""
        return self.api.post(f"{self.path}/runs/{run['id']}/submit_tool_outputs", outputs(run, output))

    def cancel(self, id: str) -> Json:
        return self.api.post(f"{self.path}/runs/{id}/cancel")

    def said(self) -> list[str]:
        """What the thread's messages say, oldest first."""
        listed = self.api.get(f"{self.path}/messages?order=asc&limit=100")["data"]
        return ["".join(part["text"]["value"] for part in message["content"]) for message in listed]

    def steps(self, id: str) -> list[Json]:
        """A run's steps, oldest first."""
        found: list[Json] = self.api.get(f"{self.path}/runs/{id}/steps?order=asc&limit=100")["data"]
        return found

    def is_free(self) -> bool:
        """Whether the thread takes a message, which is the proof that no run holds it."""
        return self.api.send("POST", f"{self.path}/messages", {"role": "user", "content": "Next"}).status == 200


@contextmanager
def stalled(drama: Drama, model: str) -> Iterator[str]:
    """The id of a run whose stream is open and read by nobody."""
    body = json.dumps({"assistant_id": drama.assistant, "model": model, "stream": True}).encode()
    with Raw(drama.api.url, receive_buffer=4_096) as raw:
        raw.send(request(b"POST", f"/v1{drama.path}/runs".encode(), body))
        yield eventually(lambda: drama.api.get(f"{drama.path}/runs")["data"])[0]["id"]


def outputs(run: Json, output: str = "seen") -> Json:
    """A body that answers every pending call of a run."""
    pending = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    return {"tool_outputs": [{"tool_call_id": call["id"], "output": output} for call in pending]}
