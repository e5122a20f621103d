"""Answers that use built-in tools: their events, what is stored, and what later answers and readers make of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from runstead.domain import coarse, prompt, sources, speech, takeover, tool_turn, turn
from runstead.domain.answer import Answer
from runstead.domain.change import ReplaceStep
from runstead.domain.errors import Stale
from runstead.domain.prompt import Budget
from runstead.domain.records import CallNotes, StepRecord
from runstead.domain.sources import Sources
from runstead.domain.tool_turn import Performed
from runstead.domain.turn import Concluded
from runstead.wire.base import RunId
from runstead.wire.messages import (
    Attachment,
    AttachmentTool,
    FileCitationAnnotation,
    FilePathAnnotation,
    ImageFile,
    ImageFileContent,
)
from runstead.wire.run_steps import (
    CodeInterpreter,
    CodeInterpreterToolCall,
    FileSearch,
    FileSearchResult,
    FileSearchText,
    FileSearchToolCall,
    ImageOutput,
    LogOutput,
    OutputImage,
    ToolCall,
)
from runstead.wire.runs import Usage
from runstead.wire.tools import CodeInterpreterTool, FileSearchTool, NamedToolChoice
from tests.unit.domain.making import (
    DEADLINE,
    NOW,
    a_record,
    a_run,
    call,
    function_tool,
    message,
    message_step,
    piece,
    pieces,
    said_by,
    stored,
    tool_step,
    words,
)
from tests.unit.domain.stream_rules import StreamRules

USAGE = Usage(7, 3, 10)
TOOLS = [CodeInterpreterTool(), FileSearchTool(), function_tool("f")]
ABLE = frozenset({"code_interpreter", "file_search"})
FOUND = FileSearchResult(file_id="file-1", file_name="a.md", score=0.5, content=[FileSearchText("One.")])
SOURCES = Sources({(0, 0): FOUND}, {"out.csv": "file-out"}, ["file-i", "file-j"], ["file-out"], 1)
DONE = CallNotes(is_done=True)


def code_call(id: str, code: str = "1", *outputs: LogOutput | ImageOutput) -> CodeInterpreterToolCall:
    return CodeInterpreterToolCall(id=id, code_interpreter=CodeInterpreter(code, list(outputs)))


def search_call(id: str, *results: FileSearchResult) -> FileSearchToolCall:
    return FileSearchToolCall(id=id, file_search=FileSearch(results=list(results)))


def code_piece(id: str, index: int, code: str = "1"):
    return piece("code_interpreter", json.dumps({"code": code}), index=index, id=id)


def an_answer(*chunks, sources=None, tools=TOOLS):
    record = a_record(run={"tools": tools})
    answer = Answer(record, sources=sources)
    return record, answer, answer.feed(chunks, NOW)


def read(*batches):
    return StreamRules().read(speech.numbered([said for batch in batches for said in batch], epoch=2))


def written_step(concluded: Concluded) -> StepRecord:
    """The step as it is stored from then on."""
    write = concluded.writes[-1]
    assert isinstance(write, ReplaceStep)
    return write.record


# Words


def test_annotations_come_with_the_piece_that_settles_them():
    _, answer, said = an_answer(words("So 【0:0†"), words("source】 and "), words("more"), sources=SOURCES)
    texts = [payload.delta.content[0].text for name, payload in said if name == "thread.message.delta"]
    assert texts[0].annotations == []
    assert [(each.index, each.type, each.start_index) for each in texts[1].annotations] == [(0, "file_citation", 3)]
    assert not texts[2].annotations
    said += answer.finish(NOW, USAGE)
    [annotation] = answer.message.content[0].text.annotations
    assert isinstance(annotation, FileCitationAnnotation)
    read(said)


def test_what_the_end_settles_comes_after_the_text_and_before_the_images():
    _, answer, said = an_answer(words("See sandbox:/mnt/data/out.csv"), sources=SOURCES)
    said += answer.finish(NOW, USAGE)
    deltas = [payload.delta.content for name, payload in said if name == "thread.message.delta"]
    assert [[(part.index, type(part).__name__) for part in content] for content in deltas] == [
        [(0, "TextDelta")],
        [(0, "TextDelta")],
        [(1, "ImageFileDelta")],
        [(2, "ImageFileDelta")],
    ]
    text, *images = answer.message.content
    assert isinstance(text.text.annotations[0], FilePathAnnotation)
    assert images == [ImageFileContent(ImageFile("file-i")), ImageFileContent(ImageFile("file-j"))]
    assert answer.message.attachments == [Attachment("file-out", [AttachmentTool("code_interpreter")])]
    read(said)


@given(st.lists(st.text("a【】0:†sourcendbx/mtcv. ", max_size=9), max_size=12))
def test_any_pieces_tell_what_is_stored(said_pieces):
    _, answer, said = an_answer(*map(words, said_pieces), sources=SOURCES)
    read(said, answer.finish(NOW, USAGE))


def test_words_that_are_cut_keep_their_annotations_and_images():
    _, answer, said = an_answer(words("【0:0†source】 sandbox:/mnt/data/out.csv"), sources=SOURCES)
    said += answer.cut("cancelled", "run_cancelled", NOW, USAGE)
    assert len(answer.message.content[0].text.annotations) == 2
    assert len(answer.message.content) == 3
    read(said)


def test_a_refusal_is_followed_by_images_too():
    _, answer, said = an_answer(words(refusal="No."), sources=SOURCES)
    said += answer.finish(NOW, USAGE)
    assert [part.index for name, p in said if name == "thread.message.delta" for part in p.delta.content] == [0, 1, 2]
    read(said)


# Calls


def test_a_turn_with_built_in_calls_is_stored_before_they_are_performed():
    record, answer, said = an_answer(
        words("Let me see."), pieces(code_piece("a", 0), piece("f", "{}", index=1, id="b"), finish="tool_calls")
    )
    concluded = turn.conclude(record, answer, USAGE, now=NOW)

    assert concluded.record.run.status == "in_progress"
    assert concluded.record.has_open_calls
    assert concluded.record.run.required_action is None
    step = answer.step_records(USAGE)[-1]
    assert (step.step.status, step.step.usage, step.call_usage) == ("in_progress", None, USAGE)
    assert step.notes == {"a": CallNotes()}
    assert tool_turn.next_call(step).id == "a"
    action = turn.next_action(concluded.record, now=NOW, max_model_calls=64, able=ABLE)
    assert action == turn.RunTools()
    read(said, concluded.said)


def test_open_calls_end_at_the_deadline_and_without_their_tool():
    record = a_record(run={"tools": TOOLS}, has_open_calls=True)
    assert turn.next_action(record, now=float(DEADLINE), max_model_calls=64, able=ABLE) == turn.End("deadline_passed")
    assert turn.next_action(record, now=NOW, max_model_calls=64, able=frozenset()).signal == "failed"
    # The limit of calls is the model's.
    assert turn.next_action(record, now=NOW, max_model_calls=0, able=ABLE) == turn.RunTools()


def test_searches_of_one_turn_are_numbered_on():
    searches = [piece("file_search", '{"query": "q"}', index=i, id=f"s{i}") for i in range(2)]
    record, answer, _ = an_answer(pieces(*searches, finish="tool_calls"), sources=SOURCES)
    turn.conclude(record, answer, USAGE, now=NOW)
    assert [notes.number for notes in answer.step_records(USAGE)[-1].notes.values()] == [1, 2]


def test_results_are_told_once_each_and_the_step_ends_with_the_last():
    record, answer, said = an_answer(
        pieces(code_piece("a", 0), piece("file_search", '{"query": "q"}', index=1, id="s"), finish="tool_calls")
    )
    first = turn.conclude(record, answer, USAGE, now=NOW)
    step = answer.step_records(USAGE)[-1]
    ran = Performed(code_call("a", "1", LogOutput("one"), ImageOutput(OutputImage("file-i"))), DONE)
    second = tool_turn.conclude(first.record, step, ran, now=NOW)
    assert second.record.has_open_calls
    step = written_step(second)
    assert tool_turn.next_call(step).id == "s"
    third = tool_turn.conclude(second.record, step, Performed(search_call("s", FOUND), DONE), now=NOW + 1)
    step = written_step(third)
    assert not third.record.has_open_calls
    assert (step.step.status, step.step.usage, step.step.completed_at) == ("completed", USAGE, NOW + 1)
    assert [name for name, _ in second.said] == ["thread.run.step.delta"]
    assert [name for name, _ in third.said] == ["thread.run.step.completed"]
    read(said, first.said, second.said, third.said)
    with pytest.raises(Stale):
        tool_turn.open_step([step])


def test_errors_of_a_turn_are_told_though_nothing_is_performed():
    record, answer, said = an_answer(pieces(piece("code_interpreter", "1", index=0, id="a"), finish="tool_calls"))
    concluded = turn.conclude(record, answer, USAGE, now=NOW)
    assert not concluded.record.has_open_calls
    assert [name for name, _ in concluded.said] == ["thread.run.step.delta", "thread.run.step.completed"]
    read(said, concluded.said)


@pytest.mark.parametrize(("signal", "status"), [("stopped", "cancelled"), ("failed", "failed")])
def test_a_run_that_ends_takes_its_open_step_along(signal, status):
    record = a_record("cancelling" if signal == "stopped" else "in_progress", has_open_calls=True)
    step = stored(tool_step("step_1", [code_call("a")], "in_progress"), notes={"a": CallNotes()})
    concluded = tool_turn.cut(record, step, signal, now=NOW)
    closed = written_step(concluded).step
    assert (closed.status, closed.usage) == (status, step.call_usage)
    assert not concluded.record.has_open_calls


# What later answers may refer to


def test_sources_are_read_from_steps():
    made = replace(DONE, files={"out.csv": "file-old"})
    earlier = [stored(tool_step("s1", [code_call("a", "1", ImageOutput(OutputImage("file-x")))]), notes={"a": made})]
    own = [
        stored(tool_step("s2", [search_call("s", FOUND)]), notes={"s": replace(DONE, number=4)}),
        stored(tool_step("s3", [code_call("b", "1", ImageOutput(OutputImage("file-y")))]), notes={"b": DONE}),
        stored(message_step("s4", "m")),
        stored(
            tool_step("s5", [code_call("c", "1", LogOutput("x"), ImageOutput(OutputImage("file-z")))]),
            notes={"c": replace(DONE, files={"out.csv": "file-new", "b": "file-b"})},
        ),
    ]
    found = sources.of(own, earlier)
    assert found.passages == {(4, 0): FOUND}
    assert found.next_search == 5
    assert found.paths == {"out.csv": "file-new", "b": "file-b"}
    # What came before the last message was shown with it.
    assert (found.images, found.files) == (["file-z"], ["file-new", "file-b"])


def test_plain_steps_are_no_sources():
    assert sources.of([], []) is None
    assert sources.of([stored(tool_step("s", [call("a", "1")]))], [stored(message_step("t", "m"))]) is None


# What the model is reminded of


def build(steps=(), earlier=(), **run):
    record = a_record(run={"tools": TOOLS} | run)
    return prompt.build(
        record, steps, [message("1", "Hi")], earlier, older=0, budget=Budget(window=10_000), count=len
    ).request


def test_calls_and_their_outputs_are_told_again():
    code = code_call("a", "x", LogOutput("one"), ImageOutput(OutputImage("file-i")))
    steps = [
        stored(tool_step("s1", [code, call("b", "theirs")]), notes={"a": replace(DONE, files={"o.csv": "file-o"})}),
        stored(tool_step("s2", [code_call("c", "y")]), notes={"c": DONE}),
        stored(tool_step("s3", [search_call("s", FOUND)]), notes={"s": replace(DONE, number=3, query="q")}),
        stored(tool_step("s4", [search_call("t")]), notes={"t": replace(DONE, number=4, query="r")}),
        stored(tool_step("s5", [search_call("u")]), notes={"u": replace(DONE, error="Error: no.")}),
    ]
    messages = build(steps).messages
    made = [each.tool_calls[0].function for each in messages if each.tool_calls]
    assert [(function.name, function.arguments) for function in made] == [
        ("code_interpreter", '{"code":"x"}'),
        ("code_interpreter", '{"code":"y"}'),
        ("file_search", '{"query":"q"}'),
        ("file_search", '{"query":"r"}'),
        ("file_search", '{"query":""}'),
    ]
    outputs = [each.content for each in messages if each.role == "tool"]
    assert outputs[0].startswith("one\n[A figure was drawn.")
    assert outputs[0].endswith("sandbox:/mnt/data/o.csv]")
    assert outputs[1] == "theirs"
    assert outputs[2] == "The code ran and printed nothing."
    assert outputs[3] == "【3:0†source】 a.md\nOne."
    assert outputs[4].startswith("No passage was found.")
    assert outputs[5] == "Error: no."


def test_a_call_without_a_result_is_left_out_with_its_turn():
    steps = [stored(tool_step("s1", [code_call("a"), call("b", "1")]), notes={"a": CallNotes()})]
    assert [each.role for each in build(steps).messages] == ["user"]


def test_earlier_calls_bear_the_names_that_tools_have_now():
    earlier = [
        stored(replace(tool_step("s1", [code_call("a")]), run_id=RunId("run_0")), notes={"a": DONE}),
        stored(replace(tool_step("s2", [search_call("s")]), run_id=RunId("run_0")), notes={"s": DONE}),
    ]
    tools = [CodeInterpreterTool(), function_tool("code_interpreter")]
    named = [
        each.tool_calls[0].function.name for each in build(earlier=earlier, tools=tools).messages if each.tool_calls
    ]
    assert named == ["builtin_code_interpreter", "file_search"]


def test_built_in_tools_are_offered_after_functions_and_can_be_forced():
    choice = NamedToolChoice("code_interpreter")
    tools = [CodeInterpreterTool(), function_tool("code_interpreter")]
    request = build(tools=tools, tool_choice=choice)
    names = [tool["function"]["name"] for tool in request.tools]
    assert names == ["code_interpreter", "builtin_code_interpreter"]
    assert request.tool_choice == {"type": "function", "function": {"name": "builtin_code_interpreter"}}


# Rebuilt and closed streams


def test_a_rebuilt_stream_shows_all_of_it():
    _, answer, _ = an_answer(words("【0:0†source】 sandbox:/mnt/data/out.csv"), sources=SOURCES)
    answer.finish(NOW, USAGE)
    run = a_run("completed", started_at=NOW, completed_at=NOW + 1)
    calls: list[ToolCall] = [
        code_call("a", "x", LogOutput("one"), ImageOutput(OutputImage("file-i"))),
        search_call("s", FOUND),
        call("b"),
    ]
    steps = [tool_step("step_1", calls, completed_at=NOW), answer.message_step]
    said = coarse.rebuilt(run, steps, {answer.message.id: answer.message})
    seen = read(said)
    told = seen.messages[answer.message.id]["content"]
    assert [part["type"] for part in told] == ["text", "image_file", "image_file"]
    assert len(told[0]["text"]["annotations"]) == 2


def test_an_open_step_is_rebuilt_as_far_as_it_has_come():
    run = a_run(started_at=NOW)
    step = tool_step("step_1", [code_call("a", "x", LogOutput("one")), code_call("b", "y")], "in_progress")
    names = [name for name, _ in coarse.rebuilt(run, [step], {})]
    assert names[-3:] == ["thread.run.step.delta"] * 3


def test_what_a_dead_worker_said_is_closed_with_its_annotations_and_images():
    _, answer, said = an_answer(words("【0:0†source】 sandbox:/mnt/data/out.csv and"), sources=SOURCES)
    answer._show_what_waits(answer.message, said)
    history = speech.numbered(said, epoch=2)
    closings = takeover.closings(history, [], now=NOW)
    closed = closings[0][1]
    assert [type(part).__name__ for part in closed.content] == ["TextContent", "ImageFileContent", "ImageFileContent"]
    assert len(closed.content[0].text.annotations) == 2
    StreamRules().read([*history, *speech.numbered(closings, epoch=3)])


def test_a_step_with_open_calls_stays_open_for_the_next_worker():
    record, answer, said = an_answer(pieces(code_piece("a", 0), finish="tool_calls"))
    turn.conclude(record, answer, USAGE, now=NOW)
    step = answer.step_records(USAGE)[-1]
    assert takeover.closings(speech.numbered(said, epoch=2), [step], now=NOW) == []


def test_a_message_of_a_run_without_sources_has_no_annotations():
    _, answer, said = an_answer(words("【0:0†source】"))
    said += answer.finish(NOW, USAGE)
    assert answer.message.content[0].text.annotations == []
    assert said_by("run_1", "m").attachments == answer.message.attachments
