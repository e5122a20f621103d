"""One scenario, played in the words of either version: all that it was answered, ids and times normalised."""

import json
import re
from collections import defaultdict
from typing import Any

from tests.acceptance.scripted import Json, Model, call, calls, text
from tests.acceptance.wire.forms import upload
from tests.acceptance.wire.talk import RESTING, Api

FUNCTION: Json = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
SEARCH = {"v1": {"type": "retrieval"}, "v2": {"type": "file_search"}}
ID = re.compile(r"\b(asst_|thread_|run_|step_|msg_|call_|vs_|file-)[A-Za-z0-9]{8,}\b")

Told = list[tuple[str, Any]]


class Play:
    """Notes what the server says, as a list of names and objects."""

    def __init__(self, api: Api, wire: str, model: Model) -> None:
        self._api = api.with_headers(OpenAI_Beta=f"assistants={wire}")
        self._wire = wire
        self._model = model
        self._told: Told = []
        self._thread = ""

    def play(self) -> Told:
        """Everything, from the first assistant to its deletion."""
        assistant = self._post("assistant", "/assistants", model=self._model.name, tools=[FUNCTION, SEARCH[self._wire]])
        path = f"/assistants/{assistant['id']}"
        self._post("assistant changed", path, name="Ada", tools=[FUNCTION], metadata={"a": "b"})
        thread = self._post("thread", "/threads", messages=[{"role": "user", "content": "Weather?"}])
        self._thread = f"/threads/{thread['id']}"
        self._post("message", f"{self._thread}/messages", role="user", content="In Oslo.")
        body = {"assistant_id": assistant["id"], "instructions": "Be brief."}
        self._call_a_function(body)
        self._cut_an_answer(body)
        self._fail(body)
        self._cancel(body)
        self._search(body)
        self._told.append(("messages", self._api.get(f"{self._thread}/messages")))
        self._told.append(("runs", self._api.get(f"{self._thread}/runs")))
        self._told.append(("thread deleted", self._api.delete(self._thread)))
        self._told.append(("assistant deleted", self._api.delete(path)))
        self._told.append(("gone", self._api.send("GET", path).error))
        normal: Told = json.loads(_normal(json.dumps(self._told)))
        return [(name, value) for name, value in normal]

    def _call_a_function(self, body: Json) -> None:
        self._model.will(calls(call("get_weather", '{"city": "Oslo"}')), text("Cold and clear"))
        waiting = self._stream("asking", f"{self._thread}/runs", body)
        run = f"{self._thread}/runs/{waiting['id']}"
        locked = self._api.send("POST", f"{self._thread}/messages", {"role": "user", "content": "More"})
        self._told.append(("locked", locked.error))
        [pending] = waiting["required_action"]["submit_tool_outputs"]["tool_calls"]
        outputs = [{"tool_call_id": pending["id"], "output": "cold"}]
        self._stream("answering", f"{run}/submit_tool_outputs", {"tool_outputs": outputs})
        self._told.append(("steps", self._api.get(f"{run}/steps")))
        self._told.append(("cancelled too late", self._api.send("POST", f"{run}/cancel").error))

    def _cut_an_answer(self, body: Json) -> None:
        self._model.will(text("As far as it", finish_reason="length"))
        self._stream("cut", f"{self._thread}/runs", {**body, "max_completion_tokens": 256})

    def _fail(self, body: Json) -> None:
        refused = {"message": "too long", "type": "invalid_request_error", "code": "context_length_exceeded"}
        self._model.will({"status": 400, "body": {"error": refused}})
        run = self._post("run", f"{self._thread}/runs", **body)
        while run["status"] not in RESTING:
            run = self._api.get(f"{self._thread}/runs/{run['id']}?wait=10")
        self._told.append(("failed", run))

    def _cancel(self, body: Json) -> None:
        self._model.will(text("Never to be finished", hold_before=2))
        with self._api.stream(f"{self._thread}/runs", body) as stream:
            stream.until("thread.message.delta")
            [run, *_] = self._api.get(f"{self._thread}/runs")["data"]
            self._told.append(("cancelling", self._api.post(f"{self._thread}/runs/{run['id']}/cancel")["status"]))
            stream.rest()
        self._told += [(f"cancelled: {event.name}", event.json) for event in stream.seen if event.name != "done"]

    def _search(self, body: Json) -> None:
        """In a thread of its own, whose file comes with a message."""
        tool = SEARCH[self._wire]
        self._api.post(f"/assistants/{body['assistant_id']}", {"tools": [tool]})
        file = upload(self._api, b"Oslo is cold in winter.", b"notes.txt")
        named: Json = {"v1": {"file_ids": [file]}, "v2": {"attachments": [{"file_id": file, "tools": [tool]}]}}
        message = {"role": "user", "content": "Is it cold?", **named[self._wire]}
        self._model.will(calls(call("file_search", '{"query": "winter in Oslo"}')), text("It is【0:0†source】."))
        last = self._stream("searched", "/threads/runs", {**body, "thread": {"messages": [message]}})
        run = f"/threads/{last['thread_id']}/runs/{last['id']}"
        self._told.append(("steps of the search", self._api.get(f"{run}/steps")))
        self._told.append(("messages of the search", self._api.get(f"/threads/{last['thread_id']}/messages")))
        self._api.delete(f"/threads/{last['thread_id']}")

    def _post(self, told_as: str, path: str, **body: Any) -> Json:
        answer = self._api.post(path, body)
        self._told.append((told_as, answer))
        return answer

    def _stream(self, name: str, path: str, body: Json) -> Json:
        """The run as the stream left it."""
        with self._api.stream(path, body) as stream:
            events = stream.rest()
        self._told += [(f"{name}: {event.name}", event.json) for event in events if event.name != "done"]
        last: Json = events[-2].json
        return last


def _normal(told: str) -> str:
    """Ids counted through by their kind, and every time the same."""
    names: dict[str, str] = {}
    counts: defaultdict[str, int] = defaultdict(int)

    def name(match: re.Match[str]) -> str:
        if match[0] not in names:
            counts[match[1]] += 1
            names[match[0]] = f"{match[1]}{counts[match[1]]}"
        return names[match[0]]

    return re.sub(r'("\w+_at": )\d{10}\b', r"\g<1>1", ID.sub(name, told))
