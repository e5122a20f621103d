"""/v1/threads/{thread_id}/runs, and /v1/threads/runs."""

from collections.abc import Awaitable, Callable

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from runstead.domain import creation, run_lifecycle, speech, unleased
from runstead.domain.attachments import has_attachments
from runstead.domain.change import (
    Change,
    InsertMessage,
    InsertRun,
    InsertThread,
    OwnerSignal,
    ReplaceThread,
    SetRunMetadata,
)
from runstead.domain.errors import InvalidRequest, WrongPrefix
from runstead.domain.file_writes import TouchVectorStore
from runstead.domain.records import RunRecord
from runstead.domain.resources import store_of
from runstead.domain.speech import Said
from runstead.http.api import FROM_THE_START, Api, Call, RunStream, until_settled
from runstead.http.cancelling import cancel
from runstead.http.pages import listed
from runstead.http.resources import attach, resolve
from runstead.http.resting import until_rest
from runstead.http.starting import commit_queued
from runstead.http.threads import new_messages, new_thread
from runstead.wire.base import AssistantId, ListPage, RunId, ThreadId
from runstead.wire.events import StreamEvent
from runstead.wire.runs import CreateRun, CreateThreadAndRun, ModifyRun, Run, SubmitToolOutputs
from runstead.wire.threads import CreateThread, Thread
from runstead.wire.tools import FileSearchTool, ToolResources


async def create_run(api: Api, call: Call[CreateRun]) -> Run | RunStream:
    """Start a run on a thread; refused while another is active there."""
    thread_id = ThreadId(call.path["thread_id"])
    # Asked first so that an unknown thread is named before an unknown assistant.
    thread = await api.store.get_thread(thread_id)
    record = await _resolved(api, thread_id, call.body)
    now = record.run.created_at
    messages = await new_messages(api, thread_id, call.body.additional_messages, now=now, at="additional_messages")
    # The run first: its lock is what two simultaneous requests meet.
    change = Change(
        writes=(InsertRun(record), *_used(record, thread), *map(InsertMessage, messages)),
        run_id=record.run.id,
        events=_created(record),
    )
    if not has_attachments(messages):
        return await _started(record, lambda: commit_queued(api, record, change), bool(call.body.stream))

    async def begin_attaching() -> None:
        was = await api.store.get_thread(thread_id)
        given, writes = await attach(api, was, messages)
        more = (*change.writes, *writes, ReplaceThread(given, was))
        await commit_queued(api, record, replace(change, writes=more))

    return await _started(record, lambda: until_settled(begin_attaching), bool(call.body.stream))


async def create_thread_and_run(api: Api, call: Call[CreateThreadAndRun]) -> Run | RunStream:
    """Create a thread and start a run on it, in one commit. API: the answer is the run."""
    body, id = call.body.thread or CreateThread(), ThreadId(api.new_id("thread_"))
    record = await _resolved(api, id, call.body)
    new = await new_thread(api, id, body, at="thread.")
    change = Change(
        writes=(*new.before, InsertThread(new.thread), InsertRun(record), *_used(record, new.thread), *new.after),
        run_id=record.run.id,
        events=_created(record, new.thread),
    )
    messages = [write.message for write in new.after]
    return await _started(record, lambda: commit_queued(api, record, change, messages), bool(call.body.stream))


async def _resolved(api: Api, thread_id: ThreadId, body: CreateRun | CreateThreadAndRun) -> RunRecord:
    if not body.assistant_id.startswith("asst"):
        raise WrongPrefix("assistant_id", body.assistant_id, "asst")
    assistant = await api.store.get_assistant(AssistantId(body.assistant_id))
    run_id = RunId(api.new_id("run_"))
    given: ToolResources | UnsetType = UNSET
    if isinstance(body, CreateThreadAndRun) and body.tool_resources is not None:
        given = (await resolve(api, body.tool_resources)).resources
    return creation.run(run_id, thread_id, body, assistant, given, now=api.now(), expires_after=api.run_expires_after)


def _used(record: RunRecord, thread: Thread) -> list[TouchVectorStore]:
    """API: a store's expiry is counted from the last run that had it."""
    if not any(isinstance(tool, FileSearchTool) for tool in record.run.tools):
        return []
    stores = {store_of(record.run.tool_resources), store_of(thread.tool_resources)} - {None}
    return [TouchVectorStore(id, record.run.created_at) for id in sorted(filter(None, stores))]


def _created(record: RunRecord, thread: Thread | None = None) -> tuple[StreamEvent, ...]:
    said: list[Said] = [] if thread is None else [("thread.created", thread)]
    said += [("thread.run.created", record.run), ("thread.run.queued", record.run)]
    return speech.numbered(said, epoch=record.epoch)


async def _started(record: RunRecord, begin: Callable[[], Awaitable[None]], is_streamed: bool) -> Run | RunStream:
    if is_streamed:
        return RunStream(record.run.id, begin, is_new=True)
    await begin()
    return record.run


async def list_runs(api: Api, call: Call[None]) -> ListPage[Run]:
    """List a thread's runs."""
    return listed(await api.store.page_runs(ThreadId(call.path["thread_id"]), call.query.page))


async def get_run(api: Api, call: Call[None]) -> Run:
    """Retrieve a run, at once or as soon as it rests."""
    thread_id, run_id = ThreadId(call.path["thread_id"]), RunId(call.path["run_id"])
    if call.query.wait:
        await until_rest(api, thread_id, run_id, call.query.wait)
    return (await api.store.get_run(thread_id, run_id)).run


async def modify_run(api: Api, call: Call[ModifyRun]) -> Run:
    """Change a run's metadata, whoever executes it."""
    thread_id, run_id = ThreadId(call.path["thread_id"]), RunId(call.path["run_id"])
    if call.body.metadata is not UNSET:
        owner = (await api.store.get_run(thread_id, run_id)).owner
        # Its driver shows the run in events of its own.
        signals = () if owner is None else (OwnerSignal(run_id, owner),)
        metadata = call.body.metadata or {}
        await api.journal.commit(Change(writes=(SetRunMetadata(thread_id, run_id, metadata),), signals=signals))
    return (await api.store.get_run(thread_id, run_id)).run


async def submit_tool_outputs(api: Api, call: Call[SubmitToolOutputs]) -> Run | RunStream:
    """Answer the calls a run waits for, all in one request."""
    thread_id, run_id = ThreadId(call.path["thread_id"]), RunId(call.path["run_id"])

    async def submit() -> RunRecord:
        record = await api.store.get_run(thread_id, run_id)
        steps = await api.store.list_steps(run_id)
        change = unleased.submit(record, steps, call.body, now=api.clock.now())
        queued = run_lifecycle.requeue(record)
        await commit_queued(api, queued, change)
        return queued

    async def begin() -> tuple[int, int]:
        # That the run waited may be told late, and would end this stream.
        return (await until_settled(submit)).epoch, 0

    if call.body.stream:
        return RunStream(run_id, begin)
    return (await until_settled(submit)).run


async def cancel_run(api: Api, call: Call[None]) -> Run:
    """Ask a run to stop; the worker that holds it will."""
    return await cancel(api, ThreadId(call.path["thread_id"]), RunId(call.path["run_id"]))


async def stream_run(api: Api, call: Call[None]) -> RunStream:
    """Attach to a run's events, replayed from the start or after Last-Event-ID, then live until it rests."""
    record = await api.store.get_run(ThreadId(call.path["thread_id"]), RunId(call.path["run_id"]))
    return RunStream(record.run.id, after=_position(call.last_event_id))


def _position(last_event_id: str | None) -> tuple[int, int]:
    """What an event's id says, or the place before every event."""
    if not last_event_id:
        return FROM_THE_START
    epoch, _, seq = last_event_id.strip().partition(".")
    if not all(number.isascii() and number.isdecimal() and len(number) < 16 for number in (epoch, seq)):
        raise InvalidRequest(
            "Invalid 'Last-Event-ID': expected the id of an event of this run's stream, such as '2.17'.",
            param="Last-Event-ID",
            code="invalid_value",
        )
    return int(epoch), int(seq)
