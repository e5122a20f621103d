from typing import get_args

import msgspec
import pytest

from runstead.domain import speech
from runstead.domain.errors import IllegalTransition
from runstead.wire.events import LAST_EVENTS, EventName
from runstead.wire.messages import MessageStatus
from runstead.wire.run_steps import StepStatus
from runstead.wire.runs import Run, RunStatus
from tests.unit.domain.making import a_run, message, tool_step

NAMES = get_args(EventName)


@pytest.mark.parametrize("status", get_args(RunStatus))
def test_every_status_of_a_run_has_its_event(status):
    name, run = speech.of_run(a_run(status))
    assert name == f"thread.run.{status}"
    assert name in NAMES
    assert name in speech.RUN_EVENTS
    assert run.status == status


@pytest.mark.parametrize("status", get_args(StepStatus))
def test_every_status_of_a_step_has_its_event(status):
    name, _ = speech.of_step(tool_step("step_1", [], status=status))
    assert name == f"thread.run.step.{status}"
    assert name in NAMES


@pytest.mark.parametrize("status", get_args(MessageStatus))
def test_every_status_of_a_message_has_its_event(status):
    name, _ = speech.of_message(message("msg_1", status=status))
    assert name == f"thread.message.{status}"
    assert name in NAMES


def test_a_stream_ends_with_an_event_of_the_run():
    assert LAST_EVENTS < speech.RUN_EVENTS


@pytest.mark.parametrize("first", [0, 7])
def test_events_are_numbered_without_gaps(first):
    said = [speech.of_run(a_run("queued")), speech.of_run(a_run("in_progress"))]
    events = speech.numbered(said, epoch=3, first=first)
    assert [(event.epoch, event.seq) for event in events] == [(3, first), (3, first + 1)]
    assert msgspec.json.decode(events[0].data, type=Run) == a_run("queued")


@pytest.mark.parametrize("epoch", [0, -1])
def test_there_is_no_epoch_before_the_first(epoch):
    with pytest.raises(IllegalTransition):
        speech.numbered([], epoch=epoch)
