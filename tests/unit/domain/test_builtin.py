"""How built-in tools are offered, and what becomes of a call as a model wrote it."""

import json

import pytest

from runstead.domain import asked, builtin
from runstead.domain.builtin import BuiltinKind
from runstead.domain.call_pieces import Call, CallPieces
from runstead.domain.records import CallNotes
from runstead.wire.run_steps import CodeInterpreterToolCall, FileSearchToolCall, FunctionToolCall, LogOutput
from runstead.wire.tools import CodeInterpreterTool, FileSearchTool
from tests.unit.domain.making import function_tool, piece

CODE, SEARCH = CodeInterpreterTool(), FileSearchTool()
NAMES: dict[str, BuiltinKind] = {"code_interpreter": "code_interpreter", "file_search": "file_search"}


def a_written_call(name: str, arguments: object) -> Call:
    collected = CallPieces((), lambda index: f"ours_{index}", NAMES)
    collected.take(piece(name, arguments, index=0, id="call_1"))
    collected.finish()
    [call] = collected.calls
    return call


@pytest.mark.parametrize(
    ("tools", "names"),
    [
        ([], {}),
        ([function_tool("f")], {}),
        ([CODE, SEARCH], NAMES),
        ([SEARCH, SEARCH], {"file_search": "file_search"}),
        ([function_tool("code_interpreter"), CODE], {"code_interpreter": "builtin_code_interpreter"}),
        ([CODE, function_tool("code_interpreter")], {"code_interpreter": "builtin_code_interpreter"}),
        ([function_tool("file_search"), CODE], {"code_interpreter": "code_interpreter"}),
        (
            [SEARCH, function_tool("file_search"), function_tool("builtin_file_search")],
            {"file_search": "builtin_file_search_2"},
        ),
    ],
)
def test_a_users_function_keeps_its_name(tools, names):
    assert builtin.names(tools) == names
    assert [offer["function"]["name"] for offer in builtin.offers(tools, {})] == list(names.values())


def test_an_offer_is_a_function_with_one_string():
    code, search = builtin.offers([CODE, SEARCH], {"code_interpreter": "Python 3.13."})
    assert code["type"] == search["type"] == "function"
    assert list(code["function"]["parameters"]["properties"]) == code["function"]["parameters"]["required"] == ["code"]
    assert list(search["function"]["parameters"]["properties"]) == ["query"]
    assert code["function"]["description"].endswith("\nPython 3.13.")
    assert "【0:2†source】" in search["function"]["description"]


def test_code_is_to_be_performed():
    call, notes = asked.judged(a_written_call("code_interpreter", '{"code": "1"}'), 0, set(NAMES))
    assert isinstance(call, CodeInterpreterToolCall)
    assert (call.id, call.code_interpreter.input, call.code_interpreter.outputs) == ("call_1", "1", [])
    assert notes == CallNotes()


def test_arguments_that_came_as_an_object_are_read_too():
    call, notes = asked.judged(a_written_call("code_interpreter", {"code": "1\n2"}), 0, set(NAMES))
    assert call.code_interpreter.input == "1\n2"
    assert not notes.is_done


@pytest.mark.parametrize("code", ["", "é😀", "a\\nb", 'say("x")', "\t"])
def test_what_runs_is_what_was_shown(code):
    call, _ = asked.judged(a_written_call("code_interpreter", json.dumps({"code": code})), 0, set(NAMES))
    assert call.code_interpreter.input == code


@pytest.mark.parametrize(
    "arguments", ["", "print(1)", '{"code": 1}', '{"code": null}', "{}", '{"code": "1"', '["1"]', "[" * 100_000]
)
def test_code_that_cannot_be_read_is_answered_at_once(arguments):
    call, notes = asked.judged(a_written_call("code_interpreter", arguments), 0, set(NAMES))
    [output] = call.code_interpreter.outputs
    assert isinstance(output, LogOutput)
    assert output.logs.startswith("Error: ")
    assert notes.is_done


def test_lines_broken_within_a_string_are_understood():
    call, notes = asked.judged(a_written_call("code_interpreter", '{"code": "a = 1\nb = 2"}'), 0, set(NAMES))
    assert call.code_interpreter.input == "a = 1\nb = 2"
    assert not notes.is_done


def test_a_search_gets_its_query_and_its_number():
    call, notes = asked.judged(a_written_call("file_search", '{"query": "q\\ud83d"}'), 7, set(NAMES))
    assert isinstance(call, FileSearchToolCall)
    assert notes == CallNotes(query="q\ufffd", number=7)


@pytest.mark.parametrize("arguments", ["", "q", '{"query": ""}', '{"query": " \\n"}', '{"query": ["q"]}', "{"])
def test_a_search_for_nothing_is_answered_at_once(arguments):
    call, notes = asked.judged(a_written_call("file_search", arguments), 7, set(NAMES))
    assert call.file_search.results == []
    assert notes.is_done
    assert notes.error.startswith("Error: ")
    assert notes.number == 7


def test_other_names_are_functions():
    call, notes = asked.judged(a_written_call("f", "not json"), 0, {"f"})
    assert isinstance(call, FunctionToolCall)
    assert (call.function.arguments, call.function.output, notes) == ("not json", None, None)
    call, _ = asked.judged(a_written_call("g", "{}"), 0, {"f", "file_search"})
    assert call.function.output == "Error: there is no tool named 'g'. Available tools: f, file_search."
