"""One answer of a model, as its events and as what is stored of it."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstead.domain import speech
from runstead.domain.answer import Answer
from runstead.domain.speech import Said
from runstead.wire.chat import ChatChunk, ChunkChoice
from runstead.wire.messages import RefusalContent, Text, TextContent
from runstead.wire.run_steps import ToolCalls
from runstead.wire.runs import LastError, Usage
from tests.unit.domain.growth import grows_in_step
from tests.unit.domain.making import NOW, a_record, counted, piece, pieces, words
from tests.unit.domain.stream_rules import StreamRules

USAGE = Usage(7, 3, 10)
MESSAGE_OPENS = ["run.step.created", "run.step.in_progress", "message.created", "message.in_progress"]
MESSAGE_CLOSES = ["message.completed", "run.step.completed"]
CALLS_OPEN = ["run.step.created", "run.step.in_progress"]


def names(said: Sequence[Said]) -> list[str]:
    return [name.removeprefix("thread.") for name, _ in said]


def read(said: Sequence[Said]) -> StreamRules:
    """The events as a client reads them, held to its rules."""
    return StreamRules().read(speech.numbered(said, epoch=2))


def an_answer(*chunks: ChatChunk) -> tuple[Answer, list[Said]]:
    answer = Answer(a_record())
    return answer, answer.feed(chunks, NOW)


def text_of(answer: Answer) -> list[str]:
    return [part.text.value if isinstance(part, TextContent) else part.refusal for part in answer.message.content]


def test_words_become_one_message_and_its_step():
    answer, said = an_answer(words("Hel"), words("lo"), words(finish="stop"), counted())
    assert names(said) == [*MESSAGE_OPENS, "message.delta", "message.delta"]

    said += answer.finish(NOW + 1, USAGE)

    assert names(said)[-2:] == MESSAGE_CLOSES
    assert answer.message.content == [TextContent(Text("Hello"))]
    assert (answer.message.status, answer.message.completed_at) == ("completed", NOW + 1)
    assert (answer.message_step.status, answer.message_step.usage) == ("completed", USAGE)
    assert (answer.finish_reason, answer.usage.total_tokens) == ("stop", 10)
    read(said)


def test_only_the_first_piece_of_a_text_carries_annotations():
    _, said = an_answer(words("a"), words("b"))
    first, second = (payload.delta.content[0].text for name, payload in said if name == "thread.message.delta")
    assert first.annotations == []
    assert not second.annotations


def test_blank_words_wait_until_something_is_said():
    answer, said = an_answer(words("\n"), words("\n"))
    assert said == []
    said += answer.feed([words("Hi")], NOW)
    said += answer.finish(NOW, USAGE)
    assert text_of(answer) == ["\n\nHi"]
    read(said)


def test_blank_words_before_a_call_are_no_message():
    answer, said = an_answer(words("\n\n"), pieces(piece("f", "{}", index=0, id="a")))
    assert names(said) == [*CALLS_OPEN, "run.step.delta", "run.step.delta"]
    answer.finish(NOW, USAGE)
    assert answer.message is None


@pytest.mark.parametrize(("chunks", "text"), [([], ""), ([words("")], ""), ([words(" \n")], " \n"), ([counted()], "")])
def test_an_empty_answer_is_one_text_part(chunks, text):
    answer, said = an_answer(*chunks)
    said += answer.finish(NOW, USAGE)
    assert answer.message.content == [TextContent(Text(text))]
    assert names(said) == [*MESSAGE_OPENS, "message.delta", *MESSAGE_CLOSES]
    read(said)


def test_a_refusal_is_a_part_of_its_own():
    answer, said = an_answer(words(refusal="I "), words(refusal="won't"))
    said += answer.finish(NOW, USAGE)
    assert answer.message.content == [RefusalContent("I won't")]
    read(said)


def test_parts_have_the_order_in_which_they_began():
    answer, said = an_answer(words("Well"), words(refusal="no"))
    said += answer.finish(NOW, USAGE)
    assert answer.message.content == [TextContent(Text("Well")), RefusalContent("no")]
    read(said)


def test_words_before_calls_are_a_completed_message():
    answer, said = an_answer(words("Let me see."), pieces(piece("f", "{}", index=0, id="a")))
    assert names(said) == [
        *MESSAGE_OPENS,
        "message.delta",
        *MESSAGE_CLOSES,
        *CALLS_OPEN,
        "run.step.delta",
        "run.step.delta",
    ]
    answer.finish(NOW, USAGE)
    assert (answer.message.status, answer.tool_step.status) == ("completed", "in_progress")
    message_record, tool_record = answer.step_records(USAGE)
    assert (message_record.step.type, tool_record.step.type) == ("message_creation", "tool_calls")
    assert message_record.step.id != tool_record.step.id
    assert tool_record.step.usage is None
    assert tool_record.call_usage == USAGE
    read(said)


def test_words_after_calls_are_dropped():
    answer, said = an_answer(pieces(piece("f", "{}", index=0, id="a")), words("Done?"), words(refusal="No"))
    answer.finish(NOW, USAGE)
    assert answer.message is None
    assert "message.created" not in names(said)


def test_one_step_holds_all_calls_of_a_turn():
    answer, said = an_answer(
        pieces(piece("f", "", index=0, id="a"), piece("g", "", index=1, id="b")),
        pieces(piece(None, "{}", index=1), piece(None, "{}", index=0)),
    )
    assert names(said).count("run.step.created") == 1
    assert [(c.id, c.function.name, c.function.arguments) for c in answer.tool_calls()] == [
        ("a", "f", "{}"),
        ("b", "g", "{}"),
    ]
    read(said)


def test_a_chunk_without_choices_or_delta_says_nothing():
    assert an_answer(ChatChunk(), ChatChunk([]), ChatChunk([ChunkChoice()]))[1] == []


def test_the_last_usage_counts():
    assert an_answer(counted(1, 1), words("a"), counted(7, 3))[0].usage.total_tokens == 10


def test_names_follow_from_run_epoch_and_call():
    def ids(**fields):
        answer = Answer(a_record(**fields))
        said = answer.feed([words("a"), pieces(piece("f"))], NOW)
        return {payload.id for _, payload in said}

    assert ids() == ids()
    assert not ids() & ids(epoch=3)
    assert not ids() & ids(model_calls=1)


CUTS = [
    ("cancelled", "run_cancelled", None),
    ("expired", "run_expired", None),
    ("failed", "run_failed", LastError("server_error", "no")),
    ("completed", "max_tokens", None),
]


@pytest.mark.parametrize(("status", "reason", "error"), CUTS)
def test_a_message_that_is_cut_keeps_its_words(status, reason, error):
    answer, said = an_answer(words("Hel"))
    said += answer.cut(status, reason, NOW + 2, USAGE, error)

    message, step = answer.message, answer.message_step
    assert (message.status, message.incomplete_details.reason, message.incomplete_at) == ("incomplete", reason, NOW + 2)
    assert (text_of(answer), message.completed_at) == (["Hel"], None)
    assert (step.status, getattr(step, f"{status}_at"), step.last_error) == (status, NOW + 2, error)
    assert step.usage == USAGE
    assert names(said)[-2:] == ["message.incomplete", f"run.step.{status}"]
    read(said)


@pytest.mark.parametrize(("status", "reason", "error"), CUTS[:3])
def test_calls_that_are_cut_are_stored_as_far_as_they_came(status, reason, error):
    answer, said = an_answer(words("Hm."), pieces(piece("f", '{"x"', index=0, id="a")))
    said += answer.cut(status, reason, NOW + 2, USAGE, error)

    assert answer.message.status == "completed"
    assert answer.tool_step.status == status
    assert isinstance(answer.tool_step.step_details, ToolCalls)
    assert answer.tool_step.step_details.tool_calls[0].function.arguments == '{"x"'
    assert names(said)[-1] == f"run.step.{status}"
    read(said)


def test_nothing_is_closed_where_nothing_was_opened():
    answer, said = an_answer(words("\n"))
    assert [*said, *answer.cut("cancelled", "run_cancelled", NOW, USAGE)] == []
    assert answer.step_records(USAGE) == []


@pytest.mark.parametrize("chunks", [[words("Hi")], [pieces(piece("f", "{}"))], [words("Hi"), pieces(piece("f", "{}"))]])
@pytest.mark.parametrize(("status", "reason", "error"), CUTS[:3])
def test_what_is_closed_stays_as_it_was_closed(chunks, status, reason, error):
    answer, said = an_answer(*chunks)
    said += answer.cut("failed", "run_failed", NOW, USAGE)
    closed = (answer.message, answer.message_step, answer.tool_step)

    assert answer.cut(status, reason, NOW + 1, USAGE, error) == []
    assert (answer.message, answer.message_step, answer.tool_step) == closed


some_words = st.sampled_from(["", " ", "\n", "a", "b c"])
chunks = st.lists(
    st.one_of(
        st.builds(words, some_words, refusal=st.none() | some_words),
        st.builds(
            pieces,
            st.builds(
                piece,
                st.sampled_from([None, "", "f", "g"]),
                st.sampled_from([None, "", "{", "}"]),
                index=st.none() | st.integers(0, 2),
                id=st.sampled_from([None, "", "a", "b"]),
            ),
        ),
        st.just(counted()),
        st.just(ChatChunk([])),
    ),
    max_size=12,
)


@given(chunks, st.sampled_from([None, *CUTS]))
def test_no_answer_breaks_a_client(some, cut):
    answer, said = an_answer(*some)
    said += answer.finish(NOW, USAGE) if cut is None else answer.cut(cut[0], cut[1], NOW, USAGE, cut[2])

    seen = read(said)
    assert seen.open_message is None
    assert {id: message["status"] for id, message in seen.messages.items()} == (
        {answer.message.id: answer.message.status} if answer.message else {}
    )
    assert [record.step.id for record in answer.step_records(USAGE)] == list(seen.steps)


def test_a_flood_of_blank_lines_takes_no_longer_than_it_is_long():
    def fed(count: int) -> Answer:
        answer = Answer(a_record())
        answer.feed([words("\n" * 50)] * count, NOW)
        return answer

    assert grows_in_step(lambda: fed(2_000), lambda: fed(20_000))
    answer = fed(20_000)
    answer.finish(NOW, USAGE)
    assert text_of(answer) == ["\n" * 1_000_000]
