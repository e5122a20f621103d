"""Results of built-in tools whose worker stored them and did not live to say so are told by whoever takes the run over."""

import pytest
from msgspec.structs import replace

from runstead.domain import run_lifecycle, speech, takeover
from runstead.domain.records import CallNotes
from runstead.wire.run_steps import CodeInterpreter, CodeInterpreterToolCall, LogOutput, ToolCalls
from tests.unit.domain.making import NOW, pieces, stored
from tests.unit.domain.stream_rules import StreamRules
from tests.unit.domain.test_built_in_answers import an_answer, code_piece

DONE = CallNotes(is_done=True)


def code_call(id: str, *logs: str) -> CodeInterpreterToolCall:
    return CodeInterpreterToolCall(id=id, code_interpreter=CodeInterpreter("1", [LogOutput(each) for each in logs]))


def a_turn():
    """What was said of two calls, and their step with both results."""
    _, answer, said = an_answer(pieces(code_piece("call_a", 0), code_piece("call_b", 1), finish="tool_calls"))
    calls = ToolCalls([code_call("call_a", "41"), code_call("call_b", "42")])
    step = replace(answer.tool_step, step_details=calls)
    return said, stored(step, notes={"call_a": DONE, "call_b": DONE})


@pytest.mark.parametrize("was_told", [0, 1, 2])
@pytest.mark.parametrize("has_ended", [False, True], ids=["in an open step", "in a step that has ended"])
def test_a_stored_result_is_told_once(was_told, has_ended):
    said, record = a_turn()
    for index, call in enumerate(record.step.step_details.tool_calls[:was_told]):
        said += speech.of_outputs(record.step.id, index, call)
    ended = replace(record, step=run_lifecycle.end_step(record.step, "completed", now=NOW, usage=None))
    history = speech.numbered(said, epoch=2)

    told = takeover.closings(history, [ended if has_ended else record], now=NOW)

    later = told if has_ended else [*told, speech.of_step(ended.step)]
    assert len(later) == 2 - was_told + 1
    StreamRules().read([*history, *speech.numbered(later, epoch=3)])
