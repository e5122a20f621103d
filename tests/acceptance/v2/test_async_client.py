"""The asynchronous client: the same API, the same answers, many runs at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from openai import AsyncOpenAI

from tests.acceptance.conftest import KEY
from tests.acceptance.processes import Server
from tests.acceptance.scene import CLOCK, POLL_MS, answers, said
from tests.acceptance.scripted import Model, call, calls, text

T = TypeVar("T")


def with_client(server: Server, act: Callable[[AsyncOpenAI], Awaitable[T]]) -> T:
    async def main() -> T:
        async with AsyncOpenAI(base_url=server.url, api_key=KEY, timeout=60) as client:
            return await act(client)

    return asyncio.run(main())


def test_a_run_is_polled_to_its_end(server: Server, model: Model) -> None:
    model.will(calls(call("get_time")), text("Noon"))

    async def ask(client: AsyncOpenAI) -> tuple[str, list[str]]:
        beta = client.beta
        assistant = await beta.assistants.create(model=model.name, tools=[CLOCK])
        waiting = await beta.threads.create_and_run_poll(
            assistant_id=assistant.id,
            thread={"messages": [{"role": "user", "content": "Time?"}]},
            poll_interval_ms=POLL_MS,
        )
        done = await beta.threads.runs.submit_tool_outputs_and_poll(
            run_id=waiting.id,
            thread_id=waiting.thread_id,
            tool_outputs=answers(waiting, get_time="noon"),
            poll_interval_ms=POLL_MS,
        )
        return done.status, [said(each) async for each in beta.threads.messages.list(done.thread_id, order="asc")]

    assert with_client(server, ask) == ("completed", ["Time?", "Noon"])


def test_a_stream_is_read_as_it_comes(server: Server, model: Model) -> None:
    model.will(text("One two three"))

    async def ask(client: AsyncOpenAI) -> tuple[list[str], str]:
        assistant = await client.beta.assistants.create(model=model.name)
        thread = await client.beta.threads.create()
        async with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
            words = [word async for word in stream.text_deltas]
            return words, (await stream.get_final_run()).status

    assert with_client(server, ask) == (["One", " two", " three"], "completed")


def test_many_runs_at_once_do_not_mix(server: Server, model: Model) -> None:
    # Without a script the model echoes what it was asked.
    async def ask(client: AsyncOpenAI) -> list[str]:
        assistant = await client.beta.assistants.create(model=model.name)

        async def echo(number: int) -> str:
            async with client.beta.threads.create_and_run_stream(
                assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": f"number {number}"}]}
            ) as stream:
                [message] = await stream.get_final_messages()
                return said(message)

        return await asyncio.gather(*(echo(number) for number in range(40)))

    assert with_client(server, ask) == [f"Echo: number {number}" for number in range(40)]
