"""What a dead worker left open in the stream is closed there, and nowhere else."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstead.domain import speech, takeover
from runstead.domain.answer import Answer
from runstead.wire.events import StreamEvent
from runstead.wire.messages import RefusalContent, Text, TextContent
from runstead.wire.runs import Usage
from tests.unit.domain.making import NOW, a_record, piece, pieces, stored, words
from tests.unit.domain.stream_rules import StreamRules
from tests.unit.domain.test_answer import chunks, names


def left_by(*chunks, finished: bool = False):
    answer = Answer(a_record())
    said = answer.feed(chunks, NOW)
    if finished:
        said += answer.finish(NOW, Usage())
    return list(speech.numbered(said, epoch=2)), answer


def close(history, stored=()):
    return takeover.closings(history, stored, now=NOW + 9)


def test_nothing_is_closed_where_nothing_is_open():
    assert close([]) == []
    assert close(left_by(words("Hi"), finished=True)[0]) == []


def test_an_open_message_is_closed_with_what_was_said_of_it():
    history, _ = left_by(words("Hel"), words("lo"))
    (name, message), (step_name, step) = close(history)
    assert (name, step_name) == ("thread.message.incomplete", "thread.run.step.failed")
    assert message.content == [TextContent(Text("Hello"))]
    assert (message.status, message.incomplete_details.reason, message.incomplete_at) == (
        "incomplete",
        "run_failed",
        NOW + 9,
    )
    assert (step.status, step.failed_at, step.last_error) == ("failed", NOW + 9, takeover.LOST)


def test_a_refusal_stays_a_refusal():
    history, _ = left_by(words("a"), words(refusal="b"))
    assert close(history)[0][1].content == [TextContent(Text("a")), RefusalContent("b")]


def test_open_calls_are_closed_unless_they_are_stored():
    history, answer = left_by(words("Hm"), pieces(piece("f", "{}")))
    assert names(close(history)) == ["run.step.failed"]
    assert close(history, [stored(answer.tool_step)]) == []


def test_a_step_that_was_stored_is_shown_as_it_is_stored():
    history, answer = left_by(pieces(piece("f", "{}")))
    answer.cut("completed", "max_tokens", NOW + 1, Usage())
    assert close(history, [stored(answer.tool_step)]) == [speech.of_step(answer.tool_step)]


def test_what_one_takeover_closed_the_next_leaves_alone():
    history, _ = left_by(words("Hi"))
    history += speech.numbered(close(history), epoch=3)
    assert close(history) == []


@pytest.mark.parametrize("lives", [2, 3])
def test_each_epoch_leaves_its_own_behind(lives):
    history: list[StreamEvent] = []
    for epoch in range(2, 2 + lives):
        answer = Answer(a_record(epoch=epoch))
        said = close(history) + answer.feed([words(f"from {epoch}")], NOW)
        history += speech.numbered(said, epoch=epoch)
    StreamRules().read(history)
    assert [
        message.content[0].text.value for name, message in close(history) if name == "thread.message.incomplete"
    ] == [f"from {1 + lives}"]


@given(chunks, st.data())
def test_wherever_a_worker_dies_the_next_one_sets_the_picture_right(some, data):
    history, _ = left_by(*some)
    cut = history[: data.draw(st.integers(0, len(history)))]

    told = close(cut)

    after = Answer(a_record(epoch=3))
    said = [*told, *after.feed([words("Again.")], NOW), *after.finish(NOW, Usage())]
    seen = StreamRules().read([*cut, *speech.numbered(said, epoch=3)])
    assert seen.open_message is None
    assert {step["status"] for step in seen.steps.values()} <= {"completed", "failed"}
    for _, payload in told:
        msgspec.json.encode(payload)


@pytest.mark.parametrize("status", ["in_progress", "cancelling"])
def test_a_status_is_told_where_the_stream_told_another(status):
    run = a_record(status).run
    told = [speech.of_run(a_record("queued").run), *left_by_said(words("Hi"))]
    assert takeover.status(speech.numbered(told, epoch=2), run) == [speech.of_run(run)]
    assert takeover.status([], run) == [speech.of_run(run)]
    told.insert(1, speech.of_run(run))
    assert takeover.status(speech.numbered(told, epoch=2), run) == []


def left_by_said(*chunks):
    return Answer(a_record()).feed(chunks, NOW)
