"""AutoGen's agent over the Assistants API, as an application uses it: an answer, a tool, a fresh start."""

import asyncio
import sys
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

from autogen_agentchat.messages import TextMessage
from autogen_core import CancellationToken
from autogen_ext.agents.openai import OpenAIAssistantAgent
from checking import check, run_all
from openai import AsyncOpenAI

warnings.simplefilter("ignore")

CALL = 'call get_weather {"city": "Oslo"}'


async def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


def drive(talk: Callable[[OpenAIAssistantAgent], Awaitable[None]]) -> None:
    """Talk to a new agent, and delete it."""

    async def all_of_it() -> None:
        async with AsyncOpenAI() as client:
            agent = OpenAIAssistantAgent(
                name="ada",
                description="Knows the weather.",
                client=client,
                model="scripted",
                instructions="Be brief.",
                tools=[get_weather],
            )
            await talk(agent)
            await agent.delete_assistant(CancellationToken())

    asyncio.run(all_of_it())


async def say(agent: OpenAIAssistantAgent, words: str) -> Any:
    return await agent.on_messages([TextMessage(source="user", content=words)], CancellationToken())


@check
def an_agent_answers(_: Any) -> None:
    async def talk(agent: OpenAIAssistantAgent) -> None:
        response = await say(agent, "Hello")
        assert response.chat_message.content == "Echo: Hello"

    drive(talk)


@check
def an_agent_runs_its_function(_: Any) -> None:
    async def talk(agent: OpenAIAssistantAgent) -> None:
        response = await say(agent, CALL)
        assert response.chat_message.content == "The tool answered: sunny in Oslo"
        called, executed = response.inner_messages
        assert called.content[0].name == "get_weather"
        assert executed.content[0].content == "sunny in Oslo"

    drive(talk)


@check
def an_agent_forgets_what_came_after_its_beginning(_: Any) -> None:
    async def talk(agent: OpenAIAssistantAgent) -> None:
        await say(agent, "Hello")
        await agent.on_reset(CancellationToken())
        left = await agent.messages.list(thread_id=agent._thread_id)  # noqa: SLF001 - it shows it nowhere else
        assert left.data == []

    drive(talk)


if __name__ == "__main__":
    print("autogen: OpenAIAssistantAgent")
    sys.exit(run_all(None))
