"""Everything that an application does with the Assistants API, through whichever official client is installed.

The server's model is the scripted one: without a script it echoes the last message, and makes a call that it is told to.
What a client does not have is skipped by name: the first ones had no helpers.
"""

import asyncio
import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import openai
from checking import Missing, check, run_all
from openai import AsyncOpenAI, OpenAI

# The newest clients call the API deprecated that they still ship.
warnings.simplefilter("ignore", DeprecationWarning)

ENDED = {"completed", "failed", "cancelled", "expired", "incomplete"}
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CALL = 'call get_weather {"city": "Oslo"}'
SLOW = "paced-50-400"
"""A model that speaks for twenty seconds, unless it is interrupted."""
CODE = """
class Dot:
    def _repr_png_(self):
        return bytes.fromhex(
            "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
            "3a7e9b550000000a49444154789c636000000002000148afa4710000000049454e44ae426082"
        )
open("/mnt/data/out.csv", "w").write("a,b")
print("sandbox:/mnt/data/out.csv")
Dot()
"""
"""Leaves a file, says its link, and shows the smallest picture as notebooks show one."""


def helper(owner: Any, name: str) -> Callable[..., Any]:
    """A method that only later clients have."""
    try:
        found: Callable[..., Any] = getattr(owner, name)
    except AttributeError:
        raise Missing(f"openai {openai.__version__} has no {name}") from None
    return found


def scene(client: Any, said: str = "Hello", model: str = "scripted", **assistant: Any) -> tuple[Any, Any]:
    """An assistant, and a thread in which a user said something."""
    made = client.beta.assistants.create(model=model, **assistant)
    return made, client.beta.threads.create(messages=[{"role": "user", "content": said}])


def start(client: Any, said: str = "Hello", **assistant: Any) -> Any:
    made, thread = scene(client, said, **assistant)
    return client.beta.threads.runs.create(thread_id=thread.id, assistant_id=made.id)


def polled(client: Any, run: Any, *, until: set[str] = ENDED | {"requires_action"}) -> Any:
    """Poll as programs did before there was a helper."""
    deadline = time.monotonic() + 30
    while run.status not in until:
        assert time.monotonic() < deadline, f"still {run.status}"
        time.sleep(0.05)
        run = client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
    return run


def working(run: Any) -> Any:
    """The run, unless the server says that it runs no code."""
    if run.status == "failed" and "code_interpreter is not available" in run.last_error.message:
        raise Missing(run.last_error.message)
    assert run.status == "completed", run
    return run


def outputs(run: Any, output: str = "sunny") -> list[Any]:
    calls = run.required_action.submit_tool_outputs.tool_calls
    return [{"tool_call_id": call.id, "output": output} for call in calls]


def answer(client: Any, thread_id: str) -> str:
    """The text of the newest message."""
    [part] = client.beta.threads.messages.list(thread_id=thread_id).data[0].content
    return str(part.text.value)


@check
def an_assistant_is_created_read_changed_listed_and_deleted(client: Any) -> None:
    assistants = client.beta.assistants
    made = assistants.create(model="scripted", name="Ada", tools=[WEATHER], metadata={"team": "blue"})
    assert assistants.retrieve(made.id) == made
    assert assistants.update(made.id, name="Eve").name == "Eve"
    assert made.id in [each.id for each in assistants.list(limit=1, order="asc")], "pages end before the last"
    assert assistants.delete(made.id).deleted


@check
def threads_and_messages_keep_what_was_said(client: Any) -> None:
    thread = client.beta.threads.create(metadata={"topic": "test"})
    messages = client.beta.threads.messages
    said = [messages.create(thread.id, role="user", content=f"Number {number}") for number in range(3)]
    listed = list(messages.list(thread.id, limit=2))
    assert [each.id for each in listed] == [each.id for each in reversed(said)]
    changed = messages.update(said[0].id, thread_id=thread.id, metadata={"seen": "yes"})
    assert messages.retrieve(said[0].id, thread_id=thread.id) == changed
    assert client.beta.threads.update(thread.id, metadata={}).metadata == {}
    assert client.beta.threads.delete(thread.id).deleted


@check
def a_run_is_polled_to_its_end(client: Any) -> None:
    run = polled(client, start(client, "How are you?"))
    assert run.status == "completed", run
    assert answer(client, run.thread_id) == "Echo: How are you?"
    [step] = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id)
    assert step.step_details.type == "message_creation"
    assert client.beta.threads.runs.steps.retrieve(step.id, thread_id=run.thread_id, run_id=run.id) == step


@check
def a_function_is_called_and_answered(client: Any) -> None:
    run = polled(client, start(client, CALL, tools=[WEATHER]))
    assert run.status == "requires_action", run
    [call] = run.required_action.submit_tool_outputs.tool_calls
    assert (call.function.name, call.function.arguments) == ("get_weather", '{"city": "Oslo"}')
    queued = client.beta.threads.runs.submit_tool_outputs(run.id, thread_id=run.thread_id, tool_outputs=outputs(run))
    assert polled(client, queued).status == "completed"
    assert answer(client, run.thread_id) == "The tool answered: sunny"


@check
def a_thread_and_a_run_are_created_in_one(client: Any) -> None:
    made = client.beta.assistants.create(model="scripted")
    thread = {"messages": [{"role": "user", "content": "Both"}]}
    run = polled(client, client.beta.threads.create_and_run(assistant_id=made.id, thread=thread))
    assert answer(client, run.thread_id) == "Echo: Both"


@check
def a_run_is_cancelled_while_the_model_speaks(client: Any) -> None:
    run = polled(client, start(client, model=SLOW), until={"in_progress"})
    stopping = client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    assert polled(client, stopping).status == "cancelled"


@check
def runs_are_listed_and_changed(client: Any) -> None:
    run = polled(client, start(client))
    changed = client.beta.threads.runs.update(run.id, thread_id=run.thread_id, metadata={"kept": "yes"})
    assert client.beta.threads.runs.list(run.thread_id).data == [changed]


@check
def the_poll_helpers_wait_for_the_end(client: Any) -> None:
    runs = client.beta.threads.runs
    create_and_poll, submit_and_poll = helper(runs, "create_and_poll"), helper(runs, "submit_tool_outputs_and_poll")
    made, thread = scene(client, CALL, tools=[WEATHER])
    waiting = create_and_poll(thread_id=thread.id, assistant_id=made.id, poll_interval_ms=20)
    assert waiting.status == "requires_action"
    done = submit_and_poll(run_id=waiting.id, thread_id=thread.id, tool_outputs=outputs(waiting), poll_interval_ms=20)
    assert done.status == "completed"
    both = helper(client.beta.threads, "create_and_run_poll")(assistant_id=made.id, poll_interval_ms=20)
    assert runs.poll(both.id, thread_id=both.thread_id).status == "completed"


@check
def events_are_read_as_they_come(client: Any) -> None:
    helper(client.beta.threads.runs, "stream")
    made, thread = scene(client, "One two three")
    events = list(client.beta.threads.runs.create(thread_id=thread.id, assistant_id=made.id, stream=True))
    words = [event.data.delta.content[0].text.value for event in events if event.event == "thread.message.delta"]
    assert "".join(words) == "Echo: One two three"
    assert events[-1].event == "thread.run.completed"
    made, thread = scene(client, "Four five")
    with client.beta.threads.runs.create_and_stream(thread_id=thread.id, assistant_id=made.id) as stream:
        assert "".join(stream.text_deltas) == "Echo: Four five"


@check
def code_leaves_logs_a_picture_and_a_file(client: Any) -> None:
    asked = f"call code_interpreter {json.dumps({'code': CODE})}"
    run = working(polled(client, start(client, asked, tools=[{"type": "code_interpreter"}])))
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc").data
    [call] = steps[0].step_details.tool_calls
    log, shown = call.code_interpreter.outputs
    assert (call.code_interpreter.input, log.logs.strip()) == (CODE, "sandbox:/mnt/data/out.csv")
    text, picture = client.beta.threads.messages.list(thread_id=run.thread_id).data[0].content
    assert picture.image_file.file_id == shown.image.file_id
    link = text.text.annotations[0]
    assert (link.type, client.files.retrieve(link.file_path.file_id).filename) == ("file_path", "out.csv")
    assert client.files.content(link.file_path.file_id).read() == b"a,b"


@check
def an_event_handler_hears_of_code_and_its_picture(client: Any) -> None:
    helper(openai, "AssistantEventHandler")

    class Handler(openai.AssistantEventHandler):
        def __init__(self) -> None:
            super().__init__()
            self.input = ""
            self.pictures: list[str] = []

        def on_tool_call_delta(self, delta: Any, snapshot: Any) -> None:
            self.input += delta.code_interpreter.input or ""

        def on_image_file_done(self, image_file: Any) -> None:
            self.pictures.append(image_file.file_id)

    asked = f"call code_interpreter {json.dumps({'code': CODE})}"
    made, thread = scene(client, asked, tools=[{"type": "code_interpreter"}])
    handler = Handler()
    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=made.id, event_handler=handler) as stream:
        stream.until_done()
    working(stream.current_run)
    [message] = stream.get_final_messages()
    assert handler.input == CODE
    assert handler.pictures == [message.content[1].image_file.file_id]


@check
def an_event_handler_hears_text_and_calls(client: Any) -> None:
    helper(openai, "AssistantEventHandler")

    class Handler(openai.AssistantEventHandler):
        def __init__(self) -> None:
            super().__init__()
            self.text = self.arguments = ""
            self.ended = 0

        def on_text_delta(self, delta: Any, snapshot: Any) -> None:
            self.text += delta.value

        def on_tool_call_done(self, tool_call: Any) -> None:
            self.arguments = tool_call.function.arguments

        def on_end(self) -> None:
            self.ended += 1

    runs = client.beta.threads.runs
    made, thread = scene(client, CALL, tools=[WEATHER])
    calling, answering = Handler(), Handler()
    with runs.stream(thread_id=thread.id, assistant_id=made.id, event_handler=calling) as stream:
        stream.until_done()
    run = stream.current_run
    assert run is not None
    assert (run.status, calling.arguments) == ("requires_action", '{"city": "Oslo"}')
    with runs.submit_tool_outputs_stream(
        run_id=run.id, thread_id=thread.id, tool_outputs=outputs(run), event_handler=answering
    ) as stream:
        [message] = stream.get_final_messages()
        [_, answered] = runs.steps.list(run.id, thread_id=thread.id, order="asc")
        assert answered.id in [step.id for step in stream.get_final_run_steps()]
    assert answering.text == message.content[0].text.value == "The tool answered: sunny"
    assert (calling.ended, answering.ended) == (1, 1)


@check
def a_stream_creates_its_thread(client: Any) -> None:
    create = helper(client.beta.threads, "create_and_run_stream")
    made = client.beta.assistants.create(model="scripted")
    with create(assistant_id=made.id, thread={"messages": [{"role": "user", "content": "New"}]}) as stream:
        assert "".join(stream.text_deltas) == "Echo: New"


@check
def refusals_are_the_exceptions_that_programs_catch(client: Any) -> None:
    raised: list[str] = []
    run = polled(client, start(client, CALL, tools=[WEATHER]))
    for act in (
        lambda: client.beta.assistants.retrieve("asst_none"),
        lambda: client.beta.threads.messages.create(run.thread_id, role="user", content="More"),
        lambda: client.beta.assistants.create(model="scripted", name="n" * 300),
    ):
        try:
            act()
        except openai.APIStatusError as error:
            raised.append(f"{type(error).__name__} {error.body['message'][:21]}")  # type: ignore[index, call-overload]
    assert raised == [
        "NotFoundError No assistant found wi",
        "BadRequestError Can't add messages to",
        "BadRequestError Invalid 'name': strin",
    ], raised
    client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)


@check
def the_async_client_does_the_same(client: Any) -> None:
    async def drive() -> str:
        async with AsyncOpenAI() as other:
            made = await other.beta.assistants.create(model="scripted")
            thread = await other.beta.threads.create(messages=[{"role": "user", "content": "Async"}])
            run = await other.beta.threads.runs.create(thread_id=thread.id, assistant_id=made.id)
            for _ in range(600):
                if run.status in ENDED:
                    break
                await asyncio.sleep(0.05)
                run = await other.beta.threads.runs.retrieve(run.id, thread_id=thread.id)
            return answer(client, thread.id)

    assert asyncio.run(drive()) == "Echo: Async"


@check
def an_async_handler_hears_text(client: Any) -> None:
    helper(openai, "AsyncAssistantEventHandler")

    class Handler(openai.AsyncAssistantEventHandler):
        text = ""

        async def on_text_delta(self, delta: Any, snapshot: Any) -> None:
            self.text += delta.value

    async def drive() -> str:
        handler = Handler()
        async with AsyncOpenAI() as other:
            made, thread = scene(client, "Polled")
            polled = await other.beta.threads.runs.create_and_poll(
                thread_id=thread.id, assistant_id=made.id, poll_interval_ms=20
            )
            assert polled.status == "completed"
            made, thread = scene(client, "Async")
            async with other.beta.threads.runs.stream(
                thread_id=thread.id, assistant_id=made.id, event_handler=handler
            ) as stream:
                await stream.until_done()
        return handler.text

    assert asyncio.run(drive()) == "Echo: Async"


@check
def files_are_uploaded_and_read_back(client: Any) -> None:
    try:
        made = client.files.create(file=("notes.txt", b"Oslo is cold."), purpose="assistants")
    except openai.NotFoundError:
        raise Missing("the server has no files") from None
    ready = client.files.wait_for_processing(made.id)
    assert (ready.status, ready.bytes) == ("processed", 13)
    assert made.id in [each.id for each in client.files.list()]
    assert client.files.content(made.id).read() == b"Oslo is cold."
    assert client.files.delete(made.id).deleted


@check
def a_batch_of_files_is_uploaded_and_polled(client: Any) -> None:
    stores = getattr(client, "vector_stores", None) or helper(client.beta, "vector_stores")
    try:
        store = stores.create(name="notes")
    except openai.NotFoundError:
        raise Missing("the server has no vector stores") from None
    batch = stores.file_batches.upload_and_poll(store.id, files=[("notes.txt", b"Oslo is cold.")])
    assert (batch.status, batch.file_counts.completed) == ("completed", 1)
    file = stores.files.upload_and_poll(vector_store_id=store.id, file=("more.txt", b"Rome is warm."))
    assert file.status == "completed"
    assert len(list(stores.files.list(store.id))) == 2
    third, fourth = (client.files.create(file=("third.txt", b"Paris"), purpose="assistants") for _ in range(2))
    assert stores.files.create_and_poll(vector_store_id=store.id, file_id=third.id).status == "completed"
    uploaded = stores.files.upload(vector_store_id=store.id, file=("fifth.txt", b"Bern"))
    assert stores.files.poll(uploaded.id, vector_store_id=store.id).status == "completed"
    batch = stores.file_batches.create_and_poll(vector_store_id=store.id, file_ids=[fourth.id])
    assert stores.file_batches.poll(batch.id, vector_store_id=store.id).status == "completed"
    assert stores.delete(store.id).deleted


if __name__ == "__main__":
    print(f"openai-python {openai.__version__}")
    with OpenAI() as connected:
        sys.exit(run_all(connected))
