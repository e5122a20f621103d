"""What most tests need: an assistant whose model is scripted, a thread, and the client that drives them.

Speaks only what the clients of both eras have in common.
"""

from dataclasses import dataclass
from typing import Any

from tests.acceptance.scripted import Model

POLL_MS = 20
"""Pollers are told to be quick: the tests wait for the run, not for the poller."""


@dataclass(frozen=True)
class Scene:
    """An assistant and a thread of one test."""

    client: Any
    model: Model
    assistant: Any
    thread: Any

    @classmethod
    def open(cls, client: Any, model: Model, *said: str, **assistant: Any) -> "Scene":
        """A new assistant and a new thread in which a user said these things."""
        messages = [{"role": "user", "content": words} for words in said]
        return cls(
            client=client,
            model=model,
            assistant=client.beta.assistants.create(model=model.name, **assistant),
            thread=client.beta.threads.create(messages=messages) if messages else client.beta.threads.create(),
        )

    @property
    def runs(self) -> Any:
        return self.client.beta.threads.runs

    def start(self, **options: Any) -> Any:
        """A run as it was created."""
        return self.runs.create(thread_id=self.thread.id, assistant_id=self.assistant.id, **options)

    def run(self, **options: Any) -> Any:
        """A run that has ended, or waits for outputs."""
        return self.settled(self.start(**options))

    def settled(self, run: Any) -> Any:
        return self.runs.poll(run.id, thread_id=run.thread_id, poll_interval_ms=POLL_MS)

    def reload(self, run: Any) -> Any:
        return self.runs.retrieve(run.id, thread_id=run.thread_id)

    def submit(self, run: Any, **outputs: str) -> Any:
        """Answer every pending call by its function's name, and wait for what comes of it."""
        queued = self.runs.submit_tool_outputs(run.id, thread_id=run.thread_id, tool_outputs=answers(run, **outputs))
        return self.settled(queued)

    def events(self, **options: Any) -> list[Any]:
        """Every event of a new run's stream."""
        return list(self.start(stream=True, **options))

    def say(self, words: Any) -> Any:
        return self.client.beta.threads.messages.create(thread_id=self.thread.id, role="user", content=words)

    def messages(self, **filters: Any) -> list[Any]:
        """The thread's messages, oldest first."""
        return list(self.client.beta.threads.messages.list(thread_id=self.thread.id, order="asc", **filters))

    def steps(self, run: Any) -> list[Any]:
        """The run's steps, oldest first."""
        return list(self.runs.steps.list(run_id=run.id, thread_id=run.thread_id, order="asc"))

    @property
    def answer(self) -> str:
        """The text of the thread's newest message."""
        return said(self.messages()[-1])


def said(message: Any) -> str:
    """A message's text, which must be its only part."""
    [part] = message.content
    value: str = part.text.value
    return value


def pending(run: Any) -> list[Any]:
    """The calls that a run waits for."""
    found: list[Any] = run.required_action.submit_tool_outputs.tool_calls
    return found


def answers(run: Any, **outputs: str) -> Any:
    """Tool outputs for a run's pending calls, by the names of their functions."""
    return [{"tool_call_id": each.id, "output": outputs[each.function.name]} for each in pending(run)]


def function(name: str, **parameters: str) -> Any:
    """A function tool whose parameters have these JSON types."""
    properties = {parameter: {"type": type} for parameter, type in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(parameters)}
    return {"type": "function", "function": {"name": name, "description": f"Runs {name}.", "parameters": schema}}


WEATHER = function("get_weather", city="string")
CLOCK = function("get_time", zone="string")


def read_until(stream: Any, name: str, times: int = 1) -> list[Any]:
    """The events of a stream up to the given one; the rest can still be read."""
    events = []
    for event in stream:
        events.append(event)
        if [each.event for each in events].count(name) == times:
            return events
    raise AssertionError(f"the stream ended after {[each.event for each in events]}")
