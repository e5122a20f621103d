"""The polling helpers of v1's last release, and its asynchronous client."""

import asyncio

from openai import AsyncOpenAI

from tests.acceptance.conftest import KEY
from tests.acceptance.scene import CLOCK, POLL_MS, answers, said
from tests.acceptance.scripted import call, calls, text


def test_a_thread_and_run_are_created_and_polled_at_the_servers_pace(client, model) -> None:
    assistant = client.beta.assistants.create(model=model.name)

    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "Hello"}]}
    )

    assert run.status == "completed"
    assert said(client.beta.threads.messages.list(run.thread_id).data[0]) == "Echo: Hello"


def test_a_cancelled_run_frees_its_thread(scene) -> None:
    scene.model.will(text("Never said", hold_before="headers"), text("At last"))
    run = scene.start()
    scene.model.wait(held=1)

    scene.runs.cancel(run.id, thread_id=scene.thread.id)
    ended = scene.settled(run)
    scene.say("Again?")

    assert ended.status == "cancelled"
    assert scene.run().status == "completed"
    assert scene.answer == "At last"


def test_the_asynchronous_client_carries_a_run_through_its_calls(server, model) -> None:
    model.will(calls(call("get_time")), text("It is noon"))

    async def ask() -> tuple[str, list[str]]:
        async with AsyncOpenAI(base_url=server.url, api_key=KEY, timeout=60) as client:
            beta = client.beta
            assistant = await beta.assistants.create(model=model.name, tools=[CLOCK])
            thread = await beta.threads.create(messages=[{"role": "user", "content": "Time?"}])
            waiting = await beta.threads.runs.create_and_poll(
                thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=POLL_MS
            )
            async with beta.threads.runs.submit_tool_outputs_stream(
                run_id=waiting.id, thread_id=thread.id, tool_outputs=answers(waiting, get_time="noon")
            ) as stream:
                words = [word async for word in stream.text_deltas]
                return (await stream.get_final_run()).status, words

    assert asyncio.run(ask()) == ("completed", ["It", " is", " noon"])
