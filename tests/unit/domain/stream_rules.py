"""What the official clients' accumulators demand of a run's stream, written down independently of the server.

`StreamRules` is fed one event after the other and raises BrokenStream at the first that would throw in a client, or
leave it with a picture other than the one that the closing event shows. It reads plain JSON, as a client does.
"""

import json
from collections.abc import Iterable
from typing import Any

from runstead.wire.events import StreamEvent

STEP_ENDS = {"completed", "failed", "cancelled", "expired"}
RUN_ENDS = {"requires_action", "completed", "failed", "cancelled", "expired", "incomplete"}


class BrokenStream(AssertionError):
    """A client would have thrown, or shown what is not so."""


class StreamRules:
    """A client's picture of one stream."""

    def __init__(self) -> None:
        self.place = (0, -1)
        self.names: list[str] = []
        self.run: dict[str, Any] | None = None
        self.messages: dict[str, dict[str, Any]] = {}
        self.steps: dict[str, dict[str, Any]] = {}
        self.open_message: str | None = None
        self.is_over = False

    def read(self, events: Iterable[StreamEvent]) -> "StreamRules":
        for event in events:
            try:
                self._take(event)
            except BrokenStream as error:
                raise BrokenStream(f"{error} (event {event.epoch}.{event.seq}, after {self.names})") from None
        return self

    def _take(self, event: StreamEvent) -> None:
        demand((event.epoch, event.seq) > self.place, f"{event.name} does not come after {self.place}")
        self.place = (event.epoch, event.seq)
        self.names.append(event.name)
        data = json.loads(event.data)
        kind, _, what = event.name.removeprefix("thread.").partition(".")
        if event.name.startswith("thread.run.step."):
            self._step(event.name.removeprefix("thread.run.step."), data)
        elif kind == "message":
            self._message(what, data)
        elif kind == "run":
            self._run(what, data)

    # Runs

    def _run(self, what: str, data: dict[str, Any]) -> None:
        if what == "created":
            demand(self.run is None, "a run was created twice")
            demand(data["status"] == "queued", "a new run is not queued")
        else:
            demand(data["status"] == what, f"a run in status {data['status']} is told as {what}")
        demand(not self._has_ended(), f"{what} after the end")
        demand((data["required_action"] is not None) == (what == "requires_action"), f"required_action in {what}")
        if what in RUN_ENDS:
            demand(self.open_message is None, f"{what} while a message is open")
            open_steps = [id for id, step in self.steps.items() if step["status"] == "in_progress"]
            allowed = 1 if what == "requires_action" else 0
            demand(len(open_steps) == allowed, f"{what} while the steps {open_steps} are open")
        self.run = data

    @property
    def status(self) -> str | None:
        return None if self.run is None else self.run["status"]

    def _has_ended(self) -> bool:
        return self.status in RUN_ENDS - {"requires_action"}

    # Messages

    def _message(self, what: str, data: dict[str, Any]) -> None:
        id = data["id"]
        if what == "created":
            demand(self.open_message is None, f"message {id} is created while {self.open_message} is open")
            demand(id not in self.messages, f"message {id} is created twice")
            demand(data["content"] == [], "a new message has content")
            self.messages[id], self.open_message = data, id
            return
        demand(id == self.open_message, f"{what} of {id}, which is not the open message")
        if what == "delta":
            self._grow(self.messages[id]["content"], data["delta"]["content"])
        elif what == "in_progress":
            demand(data["content"] == [], "content before the first delta")
        else:
            demand(what in {"completed", "incomplete"}, f"messages know no {what}")
            demand(data["status"] == what, f"a message in status {data['status']} is told as {what}")
            said = [_plain(part) for part in self.messages[id]["content"]]
            demand(
                said == [_plain(part) for part in data["content"]], f"{data['content']} is not what was said: {said}"
            )
            self.messages[id], self.open_message = data, None

    @staticmethod
    def _grow(content: list[dict[str, Any]], parts: list[dict[str, Any]]) -> None:
        for part in parts:
            index = part["index"]
            demand(index <= len(content), f"content[{index}] before content[{len(content)}]")
            if index == len(content):
                content.append(part)
            else:
                demand(content[index]["type"] == part["type"], "a part that changes its type")
                accumulate(content[index], part)

    # Steps

    def _step(self, what: str, data: dict[str, Any]) -> None:
        id = data["id"]
        if what == "created":
            demand(id not in self.steps, f"step {id} is created twice")
            demand(data["status"] == "in_progress", "a new step is not in progress")
            self.steps[id] = data
            return
        demand(id in self.steps, f"{what} of step {id}, which was never created")
        step = self.steps[id]
        demand(step["status"] == "in_progress", f"{what} of step {id}, which is {step['status']}")
        if what == "delta":
            details = data["delta"]["step_details"]
            demand(step["type"] == details["type"] == "tool_calls", "a delta of other details than calls")
            for call in details["tool_calls"]:
                calls = step["step_details"]["tool_calls"]
                index = call["index"]
                demand(index <= len(calls), f"tool_calls[{index}] before tool_calls[{len(calls)}]")
                if index == len(calls):
                    demand(bool(call.get("id")), "a call without an id")
                    demand(call["id"] not in [c["id"] for c in calls], f"call {call['id']} twice")
                    calls.append(call)
                else:
                    demand(calls[index]["type"] == call["type"], "a call that changes its type")
                    accumulate(calls[index], call)
        elif what == "in_progress":
            demand(data == step, "a step that changed before anything came of it")
        else:
            demand(what in STEP_ENDS, f"steps know no {what}")
            demand(data["status"] == what, f"a step in status {data['status']} is told as {what}")
            demand(data[f"{what}_at"] is not None, f"a step that is {what} has no {what}_at")
            if step["type"] == "tool_calls" and what == "completed":
                said, is_so = ([_call(c) for c in s["step_details"]["tool_calls"]] for s in (step, data))
                demand(said == is_so, f"{is_so} is not what was called: {said}")
            self.steps[id] = data


def accumulate(whole: dict[str, Any], piece: dict[str, Any]) -> None:
    """As the Python client does: strings join, objects merge, lists merge by `index`, null becomes a value."""
    for key, value in piece.items():
        if key in {"index", "type"} or whole.get(key) is None:
            whole[key] = value
        elif isinstance(value, str):
            whole[key] += value
        elif isinstance(value, dict):
            accumulate(whole[key], value)
        elif isinstance(value, list):
            for item in value:
                demand(item["index"] == len(whole[key]), f"{key}[{item['index']}] after {len(whole[key])} of them")
                whole[key].append(item)
        else:
            raise BrokenStream(f"{key} is sent twice: clients add numbers")


def _plain(part: dict[str, Any]) -> tuple[str, Any]:
    """A part without what only deltas have."""
    kind = part["type"]
    if kind == "text":
        return kind, (part[kind]["value"], _unplaced(part[kind].get("annotations", [])))
    return kind, part[kind]


def _call(call: dict[str, Any]) -> tuple[Any, ...]:
    kind, id = call["type"], call["id"]
    if kind == "function":
        return kind, id, call[kind]["name"], call[kind]["arguments"]
    if kind == "code_interpreter":
        return kind, id, call[kind]["input"], _unplaced(call[kind]["outputs"])
    # API: what a search has found is told at the step's end only.
    demand(kind == "file_search", f"no call is a {kind}")
    return kind, id


def _unplaced(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in item.items() if key != "index"} for item in items]


def demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BrokenStream(otherwise)
