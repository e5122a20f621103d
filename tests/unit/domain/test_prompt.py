"""What the model is sent: which turns, in which order, and what goes when the budgets are small."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from runstead.domain import prompt
from runstead.domain.prompt import IMAGE_TOKENS, MESSAGE_OVERHEAD, Budget, Prompt, TooLong
from runstead.domain.records import RunRecord, StepRecord
from runstead.wire.base import RunId
from runstead.wire.chat import ChatImage, ChatImageUrl, ChatMessage, ChatText
from runstead.wire.messages import ImageUrl, ImageUrlContent, Message, RefusalContent, Text, TextContent
from runstead.wire.run_steps import RunStep
from runstead.wire.runs import TruncationStrategy
from runstead.wire.tools import ChosenFunction, CodeInterpreterTool, JsonObjectFormat, NamedToolChoice, TextFormat
from tests.unit.domain.making import (
    a_record,
    call,
    function_tool,
    message,
    message_step,
    said_by,
    stored,
    tool_step,
)

ROOMY = Budget(window=100_000)


def build(
    messages: Sequence[Message] = (),
    *,
    record: RunRecord | None = None,
    steps: Sequence[StepRecord] = (),
    earlier: Sequence[StepRecord] = (),
    older: int = 0,
    budget: Budget = ROOMY,
) -> Prompt:
    return prompt.build(
        record or a_record(), steps, messages, earlier, older=older, budget=budget, count=lambda text: len(text.split())
    )


def lines(built: Prompt) -> list[str]:
    """The prompt's messages, one short line each."""
    return [_line(message) for message in built.request.messages]


def _line(message: ChatMessage) -> str:
    words = message.content if isinstance(message.content, str) else "-"
    if message.tool_calls:
        words += " calls " + ",".join(call.id for call in message.tool_calls)
    if message.tool_call_id:
        words += f" for {message.tool_call_id}"
    return f"{message.role}: {words}"


# Turns


def test_instructions_come_first_then_the_thread_in_its_order():
    record = a_record(run={"instructions": "Be kind."})
    built = build([message("1", "Hi"), said_by("run_0", "2", "Hello"), message("3", "Bye")], record=record)
    assert lines(built) == ["system: Be kind.", "user: Hi", "assistant: Hello", "user: Bye"]
    assert built.left_out == 0


def test_no_instructions_are_no_message():
    assert lines(build([message("1", "Hi")])) == ["user: Hi"]


@pytest.mark.parametrize("instructions", ["", "Be kind."])
def test_an_empty_conversation_is_one_empty_message_of_the_user(instructions):
    built = build([], record=a_record(run={"instructions": instructions}))
    assert lines(built)[-1] == "user: "
    assert len(built.request.messages) == 1 + bool(instructions)


def test_the_runs_own_calls_follow_with_their_outputs():
    steps = [
        stored(message_step("step_1", "msg_a")),
        stored(tool_step("step_2", [call("a", "1"), call("b", "2")])),
        stored(tool_step("step_3", [call("c", "3")]), model_call=2),
    ]
    built = build([message("1", "Hi"), said_by("run_1", "msg_a", "Let me see.")], steps=steps)
    assert lines(built) == [
        "user: Hi",
        "assistant: Let me see. calls a,b",
        "tool: 1 for a",
        "tool: 2 for b",
        "assistant: - calls c",
        "tool: 3 for c",
    ]


def test_calls_without_words_follow_the_thread():
    assert lines(build([message("1", "Hi")], steps=[stored(tool_step("step_1", [call("a", "1")]))])) == [
        "user: Hi",
        "assistant: - calls a",
        "tool: 1 for a",
    ]


def test_a_call_without_output_is_left_out_with_its_turn():
    steps = [
        stored(message_step("step_1", "msg_a")),
        stored(tool_step("step_2", [call("a", "1"), call("b", None)])),
        stored(tool_step("step_3", [call("c", "3")]), model_call=2),
    ]
    assert lines(build([message("1", "Hi"), said_by("run_1", "msg_a", "Let me see.")], steps=steps)) == [
        "user: Hi",
        "assistant: - calls c",
        "tool: 3 for c",
    ]


def test_words_that_were_deleted_are_not_missed():
    steps = [stored(message_step("step_1", "msg_gone")), stored(tool_step("step_2", [call("a", "1")]))]
    assert lines(build([message("1", "Hi")], steps=steps))[1:] == ["assistant: - calls a", "tool: 1 for a"]


def earlier_run(*steps: RunStep, run_id: str = "run_0") -> list[StepRecord]:
    return [stored(replace(step, run_id=RunId(run_id))) for step in steps]


def test_an_earlier_runs_words_stay_with_the_calls_they_came_with():
    thread = [
        message("1", "Hi"),
        said_by("run_0", "2", "Let me see."),
        said_by("run_0", "3", "And once more."),
        said_by("run_0", "4", "It is 1."),
        message("5", "Sure?"),
    ]
    earlier = earlier_run(
        message_step("step_1", "2"),
        tool_step("step_2", [call("a", "1")]),
        tool_step("step_3", [call("b", "1")]),
        message_step("step_4", "3"),
        tool_step("step_5", [call("c", "1")]),
        message_step("step_6", "4"),
    )
    assert lines(build(thread, earlier=earlier)) == [
        "user: Hi",
        "assistant: Let me see. calls a",
        "tool: 1 for a",
        "assistant: - calls b",
        "tool: 1 for b",
        "assistant: And once more. calls c",
        "tool: 1 for c",
        "assistant: It is 1.",
        "user: Sure?",
    ]


def test_words_whose_steps_were_not_read_come_before_those_whose_were():
    thread = [said_by("run_0", "1", "Let me see."), said_by("run_0", "2", "It is 1."), message("3", "Sure?")]
    earlier = earlier_run(tool_step("step_3", [call("b", "1")]), message_step("step_4", "2"))
    assert lines(build(thread, earlier=earlier)) == [
        "assistant: Let me see.",
        "assistant: - calls b",
        "tool: 1 for b",
        "assistant: It is 1.",
        "user: Sure?",
    ]


def test_a_run_that_called_nothing_is_read_from_its_messages():
    assert lines(build([said_by("run_0", "1", "A."), message("2", "b?")])) == ["assistant: A.", "user: b?"]


def test_calls_of_several_runs_stand_where_their_runs_did():
    thread = [
        message("1", "a?"),
        said_by("run_0", "2", "A."),
        message("3", "b?"),
        said_by("run_1", "4", "Hm."),
    ]
    steps = [stored(message_step("step_8", "4")), stored(tool_step("step_9", [call("b", "2")]))]
    earlier = earlier_run(tool_step("step_1", [call("a", "1")]), message_step("step_2", "2"))
    assert lines(build(thread, steps=steps, earlier=earlier)) == [
        "user: a?",
        "assistant: - calls a",
        "tool: 1 for a",
        "assistant: A.",
        "user: b?",
        "assistant: Hm. calls b",
        "tool: 2 for b",
    ]


# Content


def image(url: str = "https://example.com/a.png") -> ImageUrlContent:
    return ImageUrlContent(ImageUrl(url, "low"))


def test_a_users_images_are_parts_in_their_order():
    content = [TextContent(Text("See")), image(), TextContent(Text("this"))]
    (sent,) = build([message("1", content=content)]).request.messages
    shown = ChatImage(ChatImageUrl("https://example.com/a.png", "low"))
    assert sent.content == [ChatText("See"), shown, ChatText("this")]


def test_an_assistants_images_are_not_sent_back():
    content = [TextContent(Text("See")), image()]
    assert lines(build([message("1", "Hi"), said_by("run_0", "2", content=content)])) == ["user: Hi", "assistant: See"]


def test_texts_and_refusals_are_joined():
    content = [TextContent(Text("a")), RefusalContent("b")]
    assert lines(build([said_by("run_0", "2", content=content)])) == ["assistant: a\nb"]


# What the run asks for


def test_what_the_run_does_not_say_is_not_sent():
    request = build([message("1")]).request
    said = {name for name in request.__struct_fields__ if getattr(request, name) is not None}
    assert said == {"model", "messages"}


def test_what_the_run_says_is_sent():
    record = a_record(
        run={"temperature": 0.0, "top_p": 0.5, "parallel_tool_calls": False, "tools": [function_tool("f")]},
        reasoning_effort="low",
    )
    request = build([message("1")], record=record, budget=Budget(window=1_000, completion_left=99)).request
    assert (request.temperature, request.top_p, request.parallel_tool_calls) == (0.0, 0.5, False)
    assert (request.reasoning_effort, request.max_completion_tokens) == ("low", 99)
    assert request.tools == [{"type": "function", "function": {"name": "f"}}]


@pytest.mark.parametrize(
    ("format", "sent"), [("auto", None), (TextFormat(), None), (JsonObjectFormat(), {"type": "json_object"})]
)
def test_only_a_format_that_asks_for_something_is_sent(format, sent):
    assert build([message("1")], record=a_record(run={"response_format": format})).request.response_format == sent


@pytest.mark.parametrize(
    ("choice", "first", "later"),
    [
        ("auto", None, None),
        ("none", "none", "none"),
        ("required", "required", None),
        (
            NamedToolChoice("function", ChosenFunction("f")),
            {"type": "function", "function": {"name": "f"}},
            None,
        ),
        (NamedToolChoice("code_interpreter"), {"type": "function", "function": {"name": "code_interpreter"}}, None),
    ],
)
def test_a_tool_is_forced_once(choice, first, later):
    tools = {"tools": [function_tool("f"), CodeInterpreterTool()], "tool_choice": choice}
    assert build([message("1")], record=a_record(run=tools)).request.tool_choice == first
    assert build([message("1")], record=a_record(run=tools, model_calls=1)).request.tool_choice == later


def test_without_tools_nothing_is_chosen():
    request = build([message("1")], record=a_record(run={"tool_choice": "none", "parallel_tool_calls": False})).request
    assert (request.tools, request.tool_choice, request.parallel_tool_calls) == (None, None, None)


# Truncation


def last(number: int) -> RunRecord:
    return a_record(run={"truncation_strategy": TruncationStrategy("last_messages", number)})


def test_last_messages_counts_the_thread_and_not_the_runs_own():
    thread = [message(str(i)) for i in range(4)] + [said_by("run_1", "own", "Hm.")]
    steps = [stored(message_step("step_1", "own")), stored(tool_step("step_2", [call("a", "1")]))]
    built = build(thread, record=last(2), steps=steps, older=5)
    assert lines(built) == ["user: 2", "user: 3", "assistant: Hm. calls a", "tool: 1 for a"]
    assert built.left_out == 5 + 2


def test_last_messages_may_be_more_than_there_are():
    assert build([message("1"), message("2")], record=last(9)).left_out == 0


def cost(*texts: str) -> int:
    return sum(MESSAGE_OVERHEAD + len(text.split()) for text in texts)


LONG = "word " * 50


def test_the_oldest_go_first():
    thread = [message("1", f"old {LONG}"), message("2", f"middle {LONG}"), message("3", f"new {LONG}")]
    built = build(thread, budget=Budget(window=cost(LONG) * 2 + 4))
    assert [line[:9] for line in lines(built)] == ["user: mid", "user: new"]
    assert built.left_out == 1


def test_nothing_older_than_what_was_left_out_comes_back():
    thread = [message("1", "short"), message("2", LONG), message("3", "new")]
    assert lines(build(thread, budget=Budget(window=cost("short", "new") + 8))) == ["user: new"]


def test_instructions_and_tools_are_never_left_out():
    record = a_record(run={"instructions": f"Be kind. {LONG}", "tools": [function_tool("f")]})
    built = build([message("1", LONG), message("2", "new")], record=record, budget=Budget(window=80))
    assert [line[:12] for line in lines(built)] == ["system: Be k", "user: new"]
    assert built.request.tools


def test_the_newest_turn_is_sent_even_if_the_window_is_smaller():
    thread = [message("1", "old"), message("2", LONG)]
    assert len(lines(build(thread, budget=Budget(window=20)))) == 1


@pytest.mark.parametrize("prompt_left", [-5, 0, 1, cost(LONG) - 1])
@pytest.mark.parametrize("window", [20, 100_000])
def test_the_runs_own_budget_is_kept_to_the_letter(prompt_left, window):
    with pytest.raises(TooLong):
        build([message("1", LONG)], budget=Budget(window=window, prompt_left=prompt_left))


def test_the_runs_own_budget_holds_for_its_instructions_too():
    with pytest.raises(TooLong):
        build([], record=a_record(run={"instructions": LONG}), budget=Budget(window=100_000, prompt_left=10))


def test_a_prompt_that_just_fits_is_sent():
    built = build([message("1", LONG)], budget=Budget(window=100_000, prompt_left=cost(LONG)))
    assert (built.tokens, built.left_out) == (cost(LONG), 0)


def test_answers_that_are_left_out_are_counted_too():
    thread = [message("1", LONG), said_by("run_0", "2", LONG), message("3", "new")]
    earlier = earlier_run(tool_step("step_1", [call("a", LONG)]), message_step("step_2", "2"))
    assert build(thread, earlier=earlier, budget=Budget(window=20)).left_out == 2


def test_an_image_costs_what_the_original_took_for_one():
    built = build([message("1", content=[TextContent(Text("See")), image()])])
    assert IMAGE_TOKENS < built.tokens < IMAGE_TOKENS + 20


def test_nothing_is_counted_while_the_bytes_already_fit():
    def count(text):
        raise AssertionError

    prompt.build(a_record(), [], [message("1", "Hi")], [], older=0, budget=Budget(window=10), count=count)


turns = st.lists(
    st.tuples(st.sampled_from(["user", "answer", "calls"]), st.integers(1, 30), st.integers(1, 3)), max_size=8
)


@given(turns, st.integers(1, 300))
def test_whatever_is_left_out_turns_stay_whole_and_the_newest_stay(shapes, window):
    thread, earlier = [], []
    for i, (kind, size, calls) in enumerate(shapes):
        text = "word " * size + str(i)
        if kind == "user":
            thread.append(message(str(i), text))
        else:
            thread.append(said_by(f"run_x{i}", str(i), text))
        if kind == "calls":
            made = [call(f"c{i}.{n}", "out " * size) for n in range(calls)]
            earlier += earlier_run(message_step(f"{i}a", str(i)), tool_step(f"{i}b", made), run_id=f"run_x{i}")

    whole = build(thread, earlier=earlier).request.messages
    built = build(thread, earlier=earlier, budget=Budget(window=window))

    kept = [] if not thread else built.request.messages
    assert kept == whole[len(whole) - len(kept) :] if thread else True
    asked = [c.id for m in kept for c in (m.tool_calls or [])]
    assert asked == [m.tool_call_id for m in kept if m.role == "tool"]
    shown = sum(1 for m in kept if m.role != "tool" and m.content is not None)
    assert built.left_out == len(thread) - shown
