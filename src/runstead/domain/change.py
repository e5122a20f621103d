"""Changes: everything one decision writes, as values. A store applies a change whole or not at all."""

from msgspec import Struct

from runstead.domain.code_sessions import CodeSessionWrite
from runstead.domain.file_writes import FileWrite
from runstead.domain.keyed_requests import RememberRequest
from runstead.domain.records import RunRecord, StepRecord
from runstead.wire.assistants import Assistant
from runstead.wire.base import AssistantId, MessageId, RunId, ThreadId
from runstead.wire.events import StreamEvent
from runstead.wire.messages import Message
from runstead.wire.threads import Thread


class InsertAssistant(Struct, frozen=True):
    """A new assistant."""

    assistant: Assistant


class ReplaceAssistant(Struct, frozen=True):
    """The assistant as it shall be; Stale unless it still reads `was`."""

    assistant: Assistant
    was: Assistant


class DeleteAssistant(Struct, frozen=True):
    """Remove it; NotFound if it is not there. Its runs and threads stay."""

    id: AssistantId


class InsertThread(Struct, frozen=True):
    """A new thread."""

    thread: Thread


class ReplaceThread(Struct, frozen=True):
    """The thread as it shall be; Stale unless it still reads `was`."""

    thread: Thread
    was: Thread


class DeleteThread(Struct, frozen=True):
    """Remove it with its messages, runs and steps; NotFound if it is not there."""

    id: ThreadId


class AddMessage(Struct, frozen=True):
    """A client's message: NotFound without its thread, ThreadLocked while a run is active there."""

    message: Message


class InsertMessage(Struct, frozen=True):
    """A message that comes with its new thread, with its new run, or from its run's driver: no lock is asked."""

    message: Message


class ReplaceMessage(Struct, frozen=True):
    """The message as it shall be; Stale unless it still reads `was`."""

    message: Message
    was: Message


class DeleteMessage(Struct, frozen=True):
    """Remove it; NotFound if it is not in that thread."""

    thread_id: ThreadId
    id: MessageId


class InsertRun(Struct, frozen=True):
    """A new run: NotFound without its thread, ThreadHasActiveRun (naming that run) if one is active there."""

    record: RunRecord


class ReplaceRun(Struct, frozen=True):
    """The run as it shall be. Stale unless the row's status, owner and epoch are still those of `was`.

    This is the fence of every driver's write. The run's metadata is not written: only SetRunMetadata does. A lease
    that its owner keeps is not shortened: it may have been renewed since `was` was read.
    """

    record: RunRecord
    was: RunRecord


class TakeRun(Struct, frozen=True):
    """Like ReplaceRun, and Stale also if whoever holds the run renewed its lease or wrote since `was` was read."""

    record: RunRecord
    was: RunRecord


class SetRunMetadata(Struct, frozen=True):
    """Give a run new metadata, whoever holds it; NotFound if it is not in that thread."""

    thread_id: ThreadId
    id: RunId
    metadata: dict[str, str]


class InsertStep(Struct, frozen=True):
    """A new step of a run."""

    record: StepRecord


class ReplaceStep(Struct, frozen=True):
    """A step as it shall be. Stale unless its status and what is known of its calls are still those of `was`.

    The run's fence is not enough: a commit that is carried out late, after its sender tried again and went on, comes
    under the same lease.
    """

    record: StepRecord
    was: StepRecord


Write = (
    InsertAssistant
    | ReplaceAssistant
    | DeleteAssistant
    | InsertThread
    | ReplaceThread
    | DeleteThread
    | AddMessage
    | InsertMessage
    | ReplaceMessage
    | DeleteMessage
    | InsertRun
    | ReplaceRun
    | TakeRun
    | SetRunMetadata
    | InsertStep
    | ReplaceStep
    | FileWrite
    | CodeSessionWrite
    | RememberRequest
)


class OwnerSignal(Struct, frozen=True):
    """Tell the worker that holds a run to look at it now."""

    run_id: RunId
    owner: str


class Change(Struct, frozen=True, kw_only=True):
    """What one decision writes, in order, and what is said once it is stored.

    `events` all belong to `run_id`; `offers` are runs that want a worker, and `host` is who should have them before
    all others; `signals` go to owners.
    """

    writes: tuple[Write, ...]
    run_id: RunId | None = None
    events: tuple[StreamEvent, ...] = ()
    offers: tuple[RunId, ...] = ()
    host: str | None = None
    signals: tuple[OwnerSignal, ...] = ()
