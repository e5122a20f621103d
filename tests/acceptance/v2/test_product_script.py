"""A small product as people wrote them for v2: a shop's support desk that looks orders up."""

import json
from typing import Any

from openai import AssistantEventHandler, OpenAI

from tests.acceptance.scene import function
from tests.acceptance.scripted import Model, call, calls, text

ORDERS = {"A-17": {"state": "shipped", "days": 2}}
LOOK_UP = function("look_up_order", number="string")
REFUND = function("refund_order", number="string", reason="string")


class Desk(AssistantEventHandler):
    """Prints as it reads, and answers calls in the stream itself, as the guides showed it."""

    def __init__(self, client: OpenAI, screen: list[str]) -> None:
        super().__init__()
        self._client = client
        self._screen = screen

    def on_text_delta(self, delta: Any, snapshot: Any) -> None:
        self._screen.append(delta.value)

    def on_event(self, event: Any) -> None:
        if event.event != "thread.run.requires_action":
            return
        run = event.data
        outputs: Any = [
            {"tool_call_id": each.id, "output": answer(each.function.name, json.loads(each.function.arguments))}
            for each in run.required_action.submit_tool_outputs.tool_calls
        ]
        with self._client.beta.threads.runs.submit_tool_outputs_stream(
            thread_id=run.thread_id,
            run_id=run.id,
            tool_outputs=outputs,
            event_handler=Desk(self._client, self._screen),
        ) as stream:
            stream.until_done()


def answer(name: str, arguments: dict[str, str]) -> str:
    if name == "look_up_order":
        return json.dumps(ORDERS.get(arguments["number"], "unknown order"))
    return "refunded"


def test_a_support_desk_serves_a_customer(client: OpenAI, model: Model) -> None:
    model.will(
        text("Welcome! What is your order number?"),
        calls(call("look_up_order", '{"number": "A-17"}'), text="One moment."),
        text("It was shipped and takes 2 days."),
        calls(
            call("look_up_order", '{"number": "A-17"}'), call("refund_order", '{"number": "A-17", "reason": "late"}')
        ),
        text("You have your money back."),
    )
    assistant = client.beta.assistants.create(
        name="Support", model=model.name, instructions="Help customers.", tools=[LOOK_UP, REFUND], temperature=0.2
    )
    thread = client.beta.threads.create(metadata={"customer": "42"})

    def turn(question: str) -> str:
        client.beta.threads.messages.create(thread.id, role="user", content=question)
        screen: list[str] = []
        with client.beta.threads.runs.stream(
            thread_id=thread.id,
            assistant_id=assistant.id,
            additional_instructions="The customer is called Ada.",
            event_handler=Desk(client, screen),
        ) as stream:
            stream.until_done()
        return "".join(screen)

    assert turn("Hello") == "Welcome! What is your order number?"
    assert turn("A-17") == "One moment.It was shipped and takes 2 days."
    assert turn("Too late, I want a refund") == "You have your money back."

    transcript: list[Any] = list(client.beta.threads.messages.list(thread.id, order="asc", limit=3))
    assert [(message.role, message.content[0].text.value) for message in transcript] == [
        ("user", "Hello"),
        ("assistant", "Welcome! What is your order number?"),
        ("user", "A-17"),
        ("assistant", "One moment."),
        ("assistant", "It was shipped and takes 2 days."),
        ("user", "Too late, I want a refund"),
        ("assistant", "You have your money back."),
    ]
    runs = client.beta.threads.runs.list(thread.id).data
    assert [run.status for run in runs] == ["completed"] * 3
    assert all(run.usage and run.usage.total_tokens > 0 for run in runs)
    last = model.requests[-1]["messages"]
    assert last[0]["content"] == "Help customers.\nThe customer is called Ada."
    assert [message["content"] for message in last if message["role"] == "tool"][-1] == "refunded"
    client.beta.threads.delete(thread.id)
    client.beta.assistants.delete(assistant.id)
