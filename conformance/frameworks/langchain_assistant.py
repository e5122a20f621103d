"""langchain's runnable over the Assistants API, as an application uses it: an answer, a tool, a conversation."""

import sys
import warnings
from typing import Any

from checking import check, run_all
from langchain_classic.agents.openai_assistant import OpenAIAssistantRunnable
from langchain_core.tools import tool

warnings.simplefilter("ignore")

CALL = 'call get_weather {"city": "Oslo"}'


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


def assistant(*, as_agent: bool) -> OpenAIAssistantRunnable:
    return OpenAIAssistantRunnable.create_assistant(
        name="Ada",
        instructions="Be brief.",
        tools=[get_weather],
        model="scripted",
        as_agent=as_agent,
        check_every_ms=50,
    )


@check
def an_answer_comes_back_as_messages(_: Any) -> None:
    [message] = assistant(as_agent=False).invoke({"content": "Hello"})
    assert message.content[0].text.value == "Echo: Hello"


@check
def a_thread_goes_on(_: Any) -> None:
    runnable = assistant(as_agent=True)
    first = runnable.invoke({"content": "One"})
    second = runnable.invoke({"content": "Two", "thread_id": first.thread_id})
    assert (second.thread_id, second.return_values["output"]) == (first.thread_id, "Echo: Two")


@check
def an_agent_calls_its_tool_until_it_is_done(_: Any) -> None:
    runnable = assistant(as_agent=True)
    response: Any = runnable.invoke({"content": CALL})
    [action] = response
    output = get_weather.invoke(action.tool_input)
    done = runnable.invoke(
        {"intermediate_steps": [(action, output)], "run_id": action.run_id, "thread_id": action.thread_id}
    )
    assert done.return_values["output"] == "The tool answered: sunny in Oslo"


if __name__ == "__main__":
    print("langchain: OpenAIAssistantRunnable")
    sys.exit(run_all(None))
