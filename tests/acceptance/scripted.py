"""Directing the scripted model server: what a model answers, what it was sent, and waiting for facts about it.

Scripts are keyed by the model's name, so a test with a model of its own disturbs no other.
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

Json = dict[str, Any]

PATIENCE = 20.0
"""Seconds that a fact may take to come true."""


@dataclass(frozen=True)
class ScriptedServer:
    """The running server; `url` is what RUNSTEAD_MODEL_URL is set to."""

    url: str

    def model(self, name: str) -> "Model":
        return Model(self.url.removesuffix("/v1"), name)


@dataclass(frozen=True)
class Model:
    """One model by name. Without a script it echoes the last message."""

    address: str
    name: str

    def will(self, *turns: Json, **script: Any) -> None:
        """Answer successive calls with `turns`; forgets what was received before.

        `script` may hold repeat, refuse and card. What a turn may hold stands in the scripted server's `turns`.
        """
        self._ask("PUT", "", {"turns": turns, **script})

    @property
    def calls(self) -> list[Json]:
        """Every call received, oldest first: its body, headers, and whether its client left."""
        found: list[Json] = self._ask("GET", "/requests")
        return found

    @property
    def requests(self) -> list[Json]:
        """The bodies of the calls. A body that the server found against the rules fails the test."""
        calls = self.calls
        assert [call["refused"] for call in calls] == [None] * len(calls)
        return [call["body"] for call in calls]

    @property
    def request(self) -> Json:
        """The body of the only call."""
        [body] = self.requests
        return body

    def release(self, holds: int = 1) -> None:
        """Let turns that hold go on."""
        self._ask("POST", f"/release?n={holds}")

    def wait(self, **counts: int) -> None:
        """Wait until `requests`, `held`, `aborted` and `ended` have reached the given counts."""
        try:
            self._ask("GET", f"/wait?{urlencode({**counts, 'timeout': PATIENCE})}")
        except HTTPError as answer:
            with answer:
                raise AssertionError(f"waited for {counts}, got {answer.read().decode()}") from None

    def _ask(self, method: str, path: str, body: Json | None = None) -> Any:
        url = f"{self.address}/scripts/{self.name}{path}"
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(url, data, method=method), timeout=PATIENCE + 10) as answer:
            return json.load(answer)


def text(words: str, **how: Any) -> Json:
    """A turn that says something, one chunk a word."""
    return {"text": words, **how}


def call(name: str, arguments: str = "{}", id: str | None = None) -> Json:
    """A tool call of a turn."""
    return {"name": name, "arguments": arguments, "id": id}


def calls(*tool_calls: Json, **how: Any) -> Json:
    """A turn that calls tools."""
    return {"tool_calls": tool_calls, **how}


def refusal(status: int, message: str, code: str | None = None, type: str = "invalid_request_error") -> Json:
    """A turn that is an error of the model's server."""
    return {"status": status, "body": {"error": {"message": message, "type": type, "param": None, "code": code}}}
