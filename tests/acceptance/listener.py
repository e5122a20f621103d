"""An event handler that writes down what the client's helpers tell it."""

from typing import Any

from openai import AssistantEventHandler


class Listener(AssistantEventHandler):
    """Notes each call of a hook, as the hook's name and the essence of what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[tuple[str, Any]] = []

    def on_message_created(self, message: Any) -> None:
        # The helper fills this very object in later, so only what is true now is noted.
        self.notes.append(("message created", len(message.content)))

    def on_text_created(self, text: Any) -> None:
        self.notes.append(("text created", text.value))

    def on_text_delta(self, delta: Any, snapshot: Any) -> None:
        self.notes.append(("text", (delta.value, snapshot.value)))

    def on_text_done(self, text: Any) -> None:
        self.notes.append(("text done", text.value))

    def on_message_done(self, message: Any) -> None:
        self.notes.append(("message done", message.status))

    def on_run_step_created(self, run_step: Any) -> None:
        self.notes.append(("step created", run_step.type))

    def on_run_step_done(self, run_step: Any) -> None:
        self.notes.append(("step done", run_step.status))

    def on_tool_call_created(self, tool_call: Any) -> None:
        self.notes.append(("call created", tool_call.function.name))

    def on_tool_call_delta(self, delta: Any, snapshot: Any) -> None:
        self.notes.append(("call", snapshot.function.arguments))

    def on_tool_call_done(self, tool_call: Any) -> None:
        self.notes.append(("call done", (tool_call.function.name, tool_call.function.arguments)))

    def on_end(self) -> None:
        self.notes.append(("end", None))
