"""A small product as people wrote them in the first months: a loop that polls, matches on statuses, and answers calls."""

import json

from tests.acceptance.scene import function
from tests.acceptance.scripted import call, calls, text

PRICE = function("get_price", product="string")
STOCK = function("get_stock", product="string")


def answer(name: str, arguments: dict[str, str]) -> str:
    return {"get_price": "12.50", "get_stock": "3"}[name] + f" for {arguments['product']}"


def work_off(client, thread, run) -> str:
    """The loop of the guides: poll, act on the status, stop at an end."""
    while True:
        run = client.beta.threads.runs.retrieve(thread_id=thread.id, run_id=run.id)
        if run.status == "requires_action":
            outputs = []
            for each in run.required_action.submit_tool_outputs.tool_calls:
                arguments = json.loads(each.function.arguments)
                outputs.append({"tool_call_id": each.id, "output": answer(each.function.name, arguments)})
            client.beta.threads.runs.submit_tool_outputs(thread_id=thread.id, run_id=run.id, tool_outputs=outputs)
        elif run.status not in ("queued", "in_progress", "cancelling"):
            return run.status


def test_a_shop_assistant_serves_two_customers_in_turn(client, model) -> None:
    model.will(
        calls(call("get_price", '{"product": "tea"}'), call("get_stock", '{"product": "tea"}')),
        text("Tea is 12.50 and we have 3."),
        text("You are welcome."),
        calls(call("get_stock", '{"product": "jam"}')),
        text("Three jars of jam."),
    )
    assistant = client.beta.assistants.create(
        name="Shop", instructions="Sell.", model=model.name, tools=[PRICE, STOCK], file_ids=[]
    )

    def ask(thread, question: str) -> str:
        client.beta.threads.messages.create(thread_id=thread.id, role="user", content=question, file_ids=[])
        run = client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)
        assert work_off(client, thread, run) == "completed"
        # Newest first: the answer is the first of the list.
        return client.beta.threads.messages.list(thread_id=thread.id).data[0].content[0].text.value

    ada, bob = client.beta.threads.create(), client.beta.threads.create()
    assert ask(ada, "How much is the tea?") == "Tea is 12.50 and we have 3."
    assert ask(ada, "Thanks") == "You are welcome."
    assert ask(bob, "Any jam?") == "Three jars of jam."

    steps = [
        step
        for run in client.beta.threads.runs.list(thread_id=ada.id, order="asc")
        for step in client.beta.threads.runs.steps.list(thread_id=ada.id, run_id=run.id, order="asc")
    ]
    assert [step.type for step in steps] == ["tool_calls", "message_creation", "message_creation"]
    assert steps[0].step_details.tool_calls[1].function.output == "3 for tea"
    assert [message["content"] for message in model.requests[2]["messages"]] == [
        "Sell.",
        "How much is the tea?",
        None,
        "12.50 for tea",
        "3 for tea",
        "Tea is 12.50 and we have 3.",
        "Thanks",
    ]
    for thread in (ada, bob):
        assert client.beta.threads.delete(thread.id).deleted
    assert client.beta.assistants.delete(assistant.id).deleted
