"""What is said on a run's stream: names with payloads, numbered when it is known under which epoch."""

from collections.abc import Iterable
from typing import get_args

import msgspec

from runstead.domain.errors import IllegalTransition
from runstead.wire.events import EventName, MessageDelta, RunStepDelta, StreamEvent
from runstead.wire.messages import Message
from runstead.wire.run_steps import RunStep
from runstead.wire.runs import Run, RunStatus
from runstead.wire.threads import Thread

Said = tuple[EventName, Thread | Run | RunStep | Message | MessageDelta | RunStepDelta]

RUN_EVENTS: frozenset[str] = frozenset(f"thread.run.{status}" for status in get_args(RunStatus))
"""The events that show the run itself, rather than its steps and messages."""

_encode = msgspec.json.Encoder().encode

_RUN_EVENTS: dict[RunStatus, EventName] = {
    "queued": "thread.run.queued",
    "in_progress": "thread.run.in_progress",
    "requires_action": "thread.run.requires_action",
    "cancelling": "thread.run.cancelling",
    "cancelled": "thread.run.cancelled",
    "failed": "thread.run.failed",
    "completed": "thread.run.completed",
    "incomplete": "thread.run.incomplete",
    "expired": "thread.run.expired",
}
_STEP_EVENTS: dict[str, EventName] = {
    "in_progress": "thread.run.step.in_progress",
    "completed": "thread.run.step.completed",
    "failed": "thread.run.step.failed",
    "cancelled": "thread.run.step.cancelled",
    "expired": "thread.run.step.expired",
}
_MESSAGE_EVENTS: dict[str, EventName] = {
    "in_progress": "thread.message.in_progress",
    "completed": "thread.message.completed",
    "incomplete": "thread.message.incomplete",
}


def of_run(run: Run) -> Said:
    """The event that shows a run in its status."""
    return _RUN_EVENTS[run.status], run


def of_step(step: RunStep) -> Said:
    """The event that shows a step in its status."""
    return _STEP_EVENTS[step.status], step


def of_message(message: Message) -> Said:
    """The event that shows a message in its status."""
    return _MESSAGE_EVENTS[message.status], message


def numbered(said: Iterable[Said], *, epoch: int, first: int = 0) -> tuple[StreamEvent, ...]:
    """Events with their places: `first` is the sequence number of the first one."""
    if epoch < 1:
        raise IllegalTransition(f"epoch {epoch}", "numbered")
    return tuple([StreamEvent(epoch, seq, name, _encode(payload)) for seq, (name, payload) in enumerate(said, first)])
