"""A run's next action, and what each kind of answer changes."""

from typing import get_args

import pytest

from runstead.domain import speech, turn
from runstead.domain.answer import Answer
from runstead.domain.change import InsertMessage, InsertStep, ReplaceRun
from runstead.domain.errors import ModelFailed
from runstead.domain.run_lifecycle import POISON_AFTER
from runstead.domain.turn import CallModel, Concluded, End, Rest
from runstead.wire.chat import ChatChunk, ChunkUsage
from runstead.wire.runs import LastError, RunStatus, Usage
from runstead.wire.tools import CodeInterpreterTool, FileSearchTool
from tests.unit.domain.making import (
    DEADLINE,
    NOW,
    a_record,
    call,
    counted,
    function_tool,
    message_step,
    piece,
    pieces,
    stored,
    tool_step,
    words,
)
from tests.unit.domain.stream_rules import StreamRules

USAGE = Usage(7, 3, 10)
LATER = NOW + 5.5


def action(record, now=NOW + 1.0, builtin=frozenset(), max_model_calls=64):
    return turn.next_action(record, now=now, max_model_calls=max_model_calls, able=builtin)


# What is next


@pytest.mark.parametrize("status", get_args(RunStatus))
def test_only_a_run_that_is_executed_needs_a_worker(status):
    expected = {"in_progress": CallModel(), "cancelling": End("stopped")}
    assert action(a_record(status)) == expected.get(status, Rest())


def test_the_deadline_is_judged_before_the_model_is_called():
    assert action(a_record(), now=DEADLINE - 0.1) == CallModel()
    assert action(a_record(), now=float(DEADLINE)) == End("deadline_passed")


def test_a_cancellation_goes_before_the_deadline():
    assert action(a_record("cancelling"), now=DEADLINE + 1.0) == End("stopped")


def test_a_run_that_kills_its_workers_is_given_up():
    assert action(a_record(lost_leases=POISON_AFTER - 1)) == CallModel()
    end = action(a_record(lost_leases=POISON_AFTER))
    assert (end.signal, end.error.code) == ("failed", "server_error")
    assert "3 times" in end.error.message


@pytest.mark.parametrize(
    ("tool", "kind"), [(CodeInterpreterTool(), "code_interpreter"), (FileSearchTool(), "file_search")]
)
def test_a_tool_that_this_server_lacks_ends_the_run_with_its_name(tool, kind):
    record = a_record(run={"tools": [function_tool("f"), tool]})
    end = action(record)
    assert end.signal == "failed"
    assert f"'{kind}'" in end.error.message
    assert action(record, builtin=frozenset({kind})) == CallModel()


def test_the_number_of_model_calls_has_a_limit_with_a_name():
    assert action(a_record(model_calls=4), max_model_calls=5) == CallModel()
    end = action(a_record(model_calls=5), max_model_calls=5)
    assert end.signal == "failed"
    assert "RUNSTEAD_MAX_MODEL_CALLS" in end.error.message


# What an answer changes


def concluded(*chunks, record=None) -> tuple[Concluded, Answer, StreamRules]:
    record = record or a_record(run={"tools": [function_tool("f"), function_tool("g")]}, lost_leases=2)
    answer = Answer(record)
    said = answer.feed(chunks, NOW)
    result = turn.conclude(record, answer, USAGE, now=LATER)
    return result, answer, StreamRules().read(speech.numbered([*said, *result.said], epoch=2))


def written(result: Concluded, kind):
    return [write for write in result.writes if isinstance(write, kind)]


CALL = pieces(piece("f", "{}", index=0, id="a"))
UNKNOWN = pieces(piece("h", "{}", index=0, id="x"))

# By finish_reason: of words, of calls. None is a server that gave no reason.
OUTCOMES = {
    "stop": ("completed", "requires_action"),
    "tool_calls": ("completed", "requires_action"),
    "function_call": ("completed", "requires_action"),
    "eos": ("completed", "requires_action"),
    None: ("completed", "requires_action"),
    "length": ("incomplete", "incomplete"),
    "content_filter": ("failed", "failed"),
}


@pytest.mark.parametrize(("reason", "statuses"), OUTCOMES.items())
@pytest.mark.parametrize("kind", [0, 1])
def test_a_finish_reason_decides_how_the_run_goes_on(reason, statuses, kind):
    result, answer, seen = concluded([words("Hi"), CALL][kind], words(finish=reason), counted())

    run = result.record.run
    assert run.status == statuses[kind]
    assert seen.status == run.status
    assert (result.record.model_calls, result.record.usage) == (1, USAGE)
    assert (run.usage == USAGE) == (run.status != "requires_action")
    (replaced,) = written(result, ReplaceRun)
    assert replaced.record == result.record
    assert [write.record.step.id for write in written(result, InsertStep)] == list(seen.steps)
    assert [write.message.id for write in written(result, InsertMessage)] == list(seen.messages)
    assert (answer.message is None) == (kind == 1)


def test_a_whole_answer_completes_the_run():
    result, _, seen = concluded(words("Hi"), words(finish="stop"))
    run = result.record.run
    assert (run.completed_at, run.expires_at, run.last_error) == (NOW + 5, None, None)
    assert result.record.owner is None
    assert seen.names[-3:] == ["thread.message.completed", "thread.run.step.completed", "thread.run.completed"]
    (step,) = written(result, InsertStep)
    assert (step.record.model_call, step.record.step.usage) == (1, USAGE)


def test_calls_wait_for_the_client():
    result, _, seen = concluded(words("Hm"), CALL, pieces(piece("g", '{"x"', index=1, id="b")))
    pending = result.record.run.required_action.submit_tool_outputs.tool_calls
    assert [(c.id, c.function.name, c.function.arguments) for c in pending] == [("a", "f", "{}"), ("b", "g", '{"x"')]
    assert seen.names[-1] == "thread.run.requires_action"
    words_step, calls_step = (write.record for write in written(result, InsertStep))
    assert (words_step.step.status, calls_step.step.status) == ("completed", "in_progress")
    assert (calls_step.step.usage, calls_step.call_usage) == (None, USAGE)
    assert result.record.lost_leases == 0


def test_an_unknown_tool_is_answered_here_and_the_model_asked_again():
    result, _, seen = concluded(UNKNOWN)
    assert result.record.run.status == "in_progress"
    assert (result.record.owner, result.record.epoch, result.record.lost_leases) == ("w1", 2, 0)
    assert action(result.record) == CallModel()
    (write,) = written(result, InsertStep)
    (told,) = write.record.step.step_details.tool_calls
    assert told.function.output == "Error: there is no tool named 'h'. Available tools: f, g."
    assert (write.record.step.status, write.record.step.usage) == ("completed", USAGE)
    assert seen.names[-1] == "thread.run.step.completed"


def test_without_tools_every_call_is_unknown():
    result, _, _ = concluded(CALL, record=a_record())
    (write,) = written(result, InsertStep)
    assert "Available tools: none." in write.record.step.step_details.tool_calls[0].function.output


def test_only_known_calls_are_required():
    result, _, _ = concluded(UNKNOWN, pieces(piece("f", "{}", index=1, id="a")))
    run = result.record.run
    assert [c.id for c in run.required_action.submit_tool_outputs.tool_calls] == ["a"]
    (write,) = written(result, InsertStep)
    unknown, known = write.record.step.step_details.tool_calls
    assert unknown.function.output.startswith("Error")
    assert known.function.output is None


def test_an_answer_that_met_the_budget_is_kept():
    result, answer, _ = concluded(words("Hel"), words(finish="length"))
    run = result.record.run
    assert (run.incomplete_details.reason, run.last_error) == ("max_completion_tokens", None)
    assert (answer.message.status, answer.message.incomplete_details.reason) == ("incomplete", "max_tokens")
    assert answer.message_step.status == "completed"


def test_a_call_that_met_the_budget_is_not_required():
    result, answer, _ = concluded(words("Hm"), pieces(piece("f", '{"x"', index=0, id="a")), words(finish="length"))
    assert result.record.run.required_action is None
    assert (answer.tool_step.status, answer.tool_step.last_error.code) == ("failed", "server_error")
    assert answer.message.status == "completed"


def test_nothing_at_all_within_the_budget_stores_nothing():
    result, _, _ = concluded(words(finish="length"))
    assert result.record.run.status == "incomplete"
    assert len(result.writes) == 1


def test_a_filtered_answer_says_so():
    result, answer, _ = concluded(words("Hel"), words(finish="content_filter"))
    assert answer.message.incomplete_details.reason == "content_filter"
    assert "content filter" in result.record.run.last_error.message


HALF_COUNTED = ChatChunk([], ChunkUsage(prompt_tokens=7))
IMPOSSIBLE = [counted(-1, 3), counted(3, -1), counted(2**31, 0), counted(0, 2**31), counted(2**30, 2**30)]
COUNTS = [
    (counted(), False),
    (counted(2**31 - 1, 0), False),
    *((chunk, True) for chunk in (ChatChunk([]), HALF_COUNTED, *IMPOSSIBLE)),
]


@pytest.mark.parametrize(("chunk", "estimated"), COUNTS)
@pytest.mark.parametrize("reason", ["stop", "length", "content_filter", "cancelled"])
def test_an_estimate_is_remembered_as_one(chunk, estimated, reason):
    if reason == "cancelled":
        answer = Answer(a_record("cancelling"))
        answer.feed([words("Hi"), chunk], NOW)
        result = turn.cut(a_record("cancelling"), answer, "stopped", USAGE, now=LATER)
    else:
        result, _, _ = concluded(words("Hi"), words(finish=reason), chunk)
    assert result.record.usage_estimated == estimated


# What cuts an answer

CUTS = [
    ("stopped", "cancelled", "cancelled", "run_cancelled"),
    ("deadline_passed", "expired", "expired", "run_expired"),
    ("failed", "failed", "failed", "run_failed"),
]


@pytest.mark.parametrize(("signal", "status", "step_status", "reason"), CUTS)
@pytest.mark.parametrize("chunks", [[], [words("Hel")], [CALL], [words("Hm"), CALL]])
def test_what_is_open_closes_as_the_run_does(signal, status, step_status, reason, chunks):
    record = a_record("cancelling" if signal == "stopped" else "in_progress")
    answer = Answer(record)
    said = answer.feed(chunks, NOW)
    error = LastError("server_error", "no") if signal == "failed" else None

    result = turn.cut(record, answer, signal, USAGE, now=LATER, error=error)

    seen = StreamRules().read(speech.numbered([*said, *result.said], epoch=2))
    assert (result.record.run.status, result.record.run.last_error) == (status, error)
    assert (result.record.model_calls, result.record.usage) == (1, USAGE)
    assert seen.names[-1] == f"thread.run.{status}"
    if answer.tool_step is not None:
        assert answer.tool_step.status == step_status
    elif answer.message is not None:
        assert answer.message.incomplete_details.reason == reason
        assert answer.message_step.status == step_status
    assert len(written(result, InsertStep)) == len(seen.steps)


@pytest.mark.parametrize(
    ("signal", "status"), [("stopped", "cancelled"), ("deadline_passed", "expired"), ("failed", "failed")]
)
def test_without_an_answer_only_the_run_ends(signal, status):
    record = a_record("cancelling" if signal == "stopped" else "in_progress", usage=USAGE)
    result = turn.cut(record, None, signal, Usage(), now=LATER)
    assert (result.record.run.status, result.record.run.usage, result.record.model_calls) == (status, USAGE, 0)
    assert len(result.writes) == len(result.said) == 1


@pytest.mark.parametrize("limit", [None, 300])
def test_what_is_left_of_the_completion_budget(limit):
    record = a_record(run={"max_completion_tokens": limit}, usage=Usage(1, 299, 300))
    assert turn.budget_left(record) == (None if limit is None else 1)


def test_usage_is_the_sum_of_all_calls():
    record = a_record(run={"tools": [function_tool("f")]})
    first, _, _ = concluded(UNKNOWN, record=record)
    second, _, _ = concluded(words("Hi"), record=first.record)
    assert second.record.run.usage == Usage(14, 6, 20)
    assert second.record.model_calls == 2


def test_the_ids_of_all_calls_are_known():
    steps = [
        stored(message_step("step_1", "msg_1")),
        stored(tool_step("step_2", [call("a", "1"), call("b", "2")])),
        stored(tool_step("step_3", [call("c")], status="in_progress")),
    ]
    assert turn.used_call_ids(steps) == {"a", "b", "c"}


def test_a_models_failure_is_shown_in_its_words():
    assert turn.last_error(ModelFailed("rate_limit_exceeded", "slow down")) == LastError(
        "rate_limit_exceeded", "slow down"
    )


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("abcd", 1), ("abcde", 2), ("日本", 2), ("\ud800", 1)])
def test_a_text_is_estimated_by_its_bytes(text, tokens):
    assert turn.estimate_tokens(text) == tokens
