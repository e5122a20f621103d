"""Results of file search lose their text on the way to those who did not ask for it, and nothing else does."""

import msgspec
import pytest

from runstead.http import result_content
from runstead.wire.events import EventName
from runstead.wire.run_steps import (
    FileSearch,
    FileSearchResult,
    FileSearchText,
    FileSearchToolCall,
    RunStep,
)
from tests.unit.domain.making import call, message_step, tool_step

FOUND = FileSearchResult(file_id="file-1", file_name="a.md", score=0.5, content=[FileSearchText("One.")])
SEARCHED = tool_step("step_1", [FileSearchToolCall(id="call_1", file_search=FileSearch(results=[FOUND])), call("a")])

ENDINGS: list[EventName] = [
    "thread.run.step.completed",
    "thread.run.step.failed",
    "thread.run.step.cancelled",
    "thread.run.step.expired",
]


def as_event(step: RunStep) -> bytes:
    return msgspec.json.encode(step)


def test_the_text_is_left_out_and_the_result_stays():
    [search, function] = result_content.without(SEARCHED).step_details.tool_calls
    assert msgspec.to_builtins(search.file_search.results) == [
        {"file_id": "file-1", "file_name": "a.md", "score": 0.5},
    ]
    assert function == call("a")


@pytest.mark.parametrize("step", [message_step("s", "m"), tool_step("s", [call("a", '"file_search"')])])
def test_other_steps_are_left_alone(step):
    assert result_content.without(step) is step
    data = as_event(step)
    assert result_content.view_event("thread.run.step.completed", data) == ("thread.run.step.completed", data)


def test_a_search_without_results_stays_as_it_is():
    step = tool_step("s", [FileSearchToolCall(id="call_1")])
    assert result_content.without(step) == step


@pytest.mark.parametrize("ending", ENDINGS)
def test_events_show_a_step_like_answers_do(ending):
    name, data = result_content.view_event(ending, as_event(SEARCHED))
    assert name == ending
    assert data == as_event(result_content.without(SEARCHED))


def test_other_events_are_not_even_read():
    data = b'{"file_search"'
    assert result_content.view_event("thread.run.step.delta", data) == ("thread.run.step.delta", data)
