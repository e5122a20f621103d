"""Every operation of the API on one page: method, path, what goes in by version, what comes out.

Routing, decoding, the OpenAPI document and the coverage test read this table.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct

from runstead.http import (
    assistant_files,
    assistants,
    file_batches,
    files,
    message_files,
    messages,
    models,
    run_steps,
    runs,
    searching,
    store_files,
    threads,
    vector_stores,
)
from runstead.http.api import Version
from runstead.http.queries import USUAL, Limits
from runstead.wire import v1
from runstead.wire.assistants import Assistant, CreateAssistant, ModifyAssistant
from runstead.wire.base import Body, Deleted, ListPage
from runstead.wire.files import CreateFile, File
from runstead.wire.messages import CreateMessage, Message, ModifyMessage
from runstead.wire.models import Model
from runstead.wire.run_steps import RunStep
from runstead.wire.runs import CreateRun, CreateThreadAndRun, ModifyRun, Run, SubmitToolOutputs
from runstead.wire.searching import SearchResults, SearchVectorStore, StoreFileContent
from runstead.wire.threads import CreateThread, ModifyThread, Thread
from runstead.wire.v1.files import AssistantFile, CreateAssistantFile, MessageFile
from runstead.wire.vector_stores import (
    CreateFileBatch,
    CreateVectorStore,
    CreateVectorStoreFile,
    FileBatch,
    ModifyVectorStore,
    ModifyVectorStoreFile,
    VectorStore,
    VectorStoreFile,
)

Handler = Callable[..., Awaitable[Any]]


class Operation(Struct, frozen=True, kw_only=True):
    """One method on one path. The handler's name is the operation's id, its docstring its summary."""

    method: str
    path: str
    handler: Handler
    answer: Any
    body: type[Body] | None = None
    versions: tuple[Version, ...] = ("v1", "v2")
    is_body_optional: bool = False
    is_list: bool = False
    has_include: bool = False
    is_polled: bool = False
    needs_beta: bool = True
    may_stream: bool = False
    is_resumable: bool = False
    # A form with a part named `file`, beside what the body says.
    is_upload: bool = False
    # The answer is a file's bytes.
    is_download: bool = False
    has_filter: bool = False
    # How that is retrieved which a request made or changed, for one that is sent again under its key.
    again: Handler | None = None
    has_metadata: bool = False
    has_wait: bool = False
    limits: Limits = USUAL

    def body_in(self, version: Version) -> type[Body] | None:
        """What this version's clients send."""
        return v1.body_type(self.body) if self.body is not None and version == "v1" else self.body

    @property
    def id(self) -> str:
        """The operation's id in the OpenAPI document."""
        return str(getattr(self.handler, "__name__", self.handler))


def _get(path: str, handler: Handler, answer: Any, **more: Any) -> Operation:
    return Operation(method="GET", path=path, handler=handler, answer=answer, **more)


def _list(path: str, handler: Handler, of: Any, **more: Any) -> Operation:
    return _get(path, handler, ListPage[of], **{"is_list": True, **more})


def _post(path: str, handler: Handler, answer: Any, body: type[Body] | None, **more: Any) -> Operation:
    return Operation(method="POST", path=path, handler=handler, answer=answer, body=body, **more)


def _delete(path: str, handler: Handler, **more: Any) -> Operation:
    return Operation(method="DELETE", path=path, handler=handler, answer=Deleted, **more)


ASSISTANT = "/v1/assistants/{assistant_id}"
ASSISTANT_FILE = f"{ASSISTANT}/files/{{file_id}}"
THREAD = "/v1/threads/{thread_id}"
MESSAGE = f"{THREAD}/messages/{{message_id}}"
MESSAGE_FILE = f"{MESSAGE}/files/{{file_id}}"
RUN = f"{THREAD}/runs/{{run_id}}"
FILE = "/v1/files/{file_id}"
STORE = "/v1/vector_stores/{vector_store_id}"
STORE_FILE = f"{STORE}/files/{{file_id}}"
BATCH = f"{STORE}/file_batches/{{batch_id}}"

# API: v2 has tool_resources and attachments in their place.
_OLD: dict[str, Any] = {"versions": ("v1",)}
# API: vector stores came with v2 and left its beta later, so no header is needed, and v1 does not know them.
_STORES: dict[str, Any] = {"versions": ("v2",), "needs_beta": False}

OPERATIONS: tuple[Operation, ...] = (
    _list("/v1/assistants", assistants.list_assistants, Assistant),
    _post("/v1/assistants", assistants.create_assistant, Assistant, CreateAssistant, again=assistants.get_assistant),
    _get(ASSISTANT, assistants.get_assistant, Assistant),
    _post(ASSISTANT, assistants.modify_assistant, Assistant, ModifyAssistant, again=assistants.get_assistant),
    _delete(ASSISTANT, assistants.delete_assistant),
    _list(f"{ASSISTANT}/files", assistant_files.list_assistant_files, AssistantFile, **_OLD),
    _post(
        f"{ASSISTANT}/files",
        assistant_files.create_assistant_file,
        AssistantFile,
        CreateAssistantFile,
        again=assistant_files.get_assistant_file,
        **_OLD,
    ),
    _get(ASSISTANT_FILE, assistant_files.get_assistant_file, AssistantFile, **_OLD),
    _delete(ASSISTANT_FILE, assistant_files.delete_assistant_file, **_OLD),
    # EXT: all threads, or those with some metadata.
    _list("/v1/threads", threads.list_threads, Thread, has_metadata=True),
    _post("/v1/threads", threads.create_thread, Thread, CreateThread, is_body_optional=True, again=threads.get_thread),
    # Before the paths with an id, so that "runs" is not taken for one.
    _post(
        "/v1/threads/runs",
        runs.create_thread_and_run,
        Run,
        CreateThreadAndRun,
        again=runs.get_run,
        may_stream=True,
    ),
    _get(THREAD, threads.get_thread, Thread),
    _post(THREAD, threads.modify_thread, Thread, ModifyThread, is_body_optional=True, again=threads.get_thread),
    _delete(THREAD, threads.delete_thread),
    _list(f"{THREAD}/messages", messages.list_messages, Message),
    _post(f"{THREAD}/messages", messages.create_message, Message, CreateMessage, again=messages.get_message),
    _get(MESSAGE, messages.get_message, Message),
    _post(MESSAGE, messages.modify_message, Message, ModifyMessage, is_body_optional=True, again=messages.get_message),
    _delete(MESSAGE, messages.delete_message, versions=("v2",)),
    _list(f"{MESSAGE}/files", message_files.list_message_files, MessageFile, **_OLD),
    _get(MESSAGE_FILE, message_files.get_message_file, MessageFile, **_OLD),
    _list(f"{THREAD}/runs", runs.list_runs, Run),
    _post(f"{THREAD}/runs", runs.create_run, Run, CreateRun, again=runs.get_run, may_stream=True, has_include=True),
    # EXT: with `wait`, the answer comes when the run rests.
    _get(RUN, runs.get_run, Run, is_polled=True, has_wait=True),
    _post(RUN, runs.modify_run, Run, ModifyRun, is_body_optional=True, again=runs.get_run),
    _post(
        f"{RUN}/submit_tool_outputs",
        runs.submit_tool_outputs,
        Run,
        SubmitToolOutputs,
        again=runs.get_run,
        may_stream=True,
    ),
    # EXT: attach to a run's events, from their beginning or after the Last-Event-ID.
    _get(f"{RUN}/stream", runs.stream_run, Run, may_stream=True, is_resumable=True),
    # API: the body is ignored; one client sends none, another a JSON null.
    _post(f"{RUN}/cancel", runs.cancel_run, Run, None, again=runs.get_run),
    _list(f"{RUN}/steps", run_steps.list_run_steps, RunStep, has_include=True),
    _get(f"{RUN}/steps/{{step_id}}", run_steps.get_run_step, RunStep, has_include=True),
    # API: files belong to no version, and a list of them is as long as can be unless it is asked to be shorter.
    _list("/v1/files", files.list_files, File, needs_beta=False, limits=Limits(10_000, 10_000)),
    _post("/v1/files", files.create_file, File, CreateFile, needs_beta=False, is_upload=True),
    _get(FILE, files.get_file, File, needs_beta=False),
    _delete(FILE, files.delete_file, needs_beta=False),
    _get(f"{FILE}/content", files.get_file_content, File, needs_beta=False, is_download=True),
    _list("/v1/vector_stores", vector_stores.list_vector_stores, VectorStore, **_STORES),
    _post(
        "/v1/vector_stores",
        vector_stores.create_vector_store,
        VectorStore,
        CreateVectorStore,
        again=vector_stores.get_vector_store,
        is_body_optional=True,
        **_STORES,
    ),
    _get(STORE, vector_stores.get_vector_store, VectorStore, **_STORES),
    _post(
        STORE,
        vector_stores.modify_vector_store,
        VectorStore,
        ModifyVectorStore,
        is_body_optional=True,
        again=vector_stores.get_vector_store,
        **_STORES,
    ),
    _delete(STORE, vector_stores.delete_vector_store, **_STORES),
    _list(f"{STORE}/files", store_files.list_store_files, VectorStoreFile, has_filter=True, **_STORES),
    _post(
        f"{STORE}/files",
        store_files.create_store_file,
        VectorStoreFile,
        CreateVectorStoreFile,
        again=store_files.get_store_file,
        **_STORES,
    ),
    _get(STORE_FILE, store_files.get_store_file, VectorStoreFile, is_polled=True, **_STORES),
    _post(
        STORE_FILE,
        store_files.modify_store_file,
        VectorStoreFile,
        ModifyVectorStoreFile,
        again=store_files.get_store_file,
        **_STORES,
    ),
    _delete(STORE_FILE, store_files.delete_store_file, **_STORES),
    _get(f"{STORE_FILE}/content", searching.get_store_file_content, StoreFileContent, **_STORES),
    _post(f"{STORE}/search", searching.search_vector_store, SearchResults, SearchVectorStore, **_STORES),
    _post(
        f"{STORE}/file_batches",
        file_batches.create_file_batch,
        FileBatch,
        CreateFileBatch,
        again=file_batches.get_file_batch,
        **_STORES,
    ),
    _get(BATCH, file_batches.get_file_batch, FileBatch, is_polled=True, **_STORES),
    _post(
        f"{BATCH}/cancel", file_batches.cancel_file_batch, FileBatch, None, again=file_batches.get_file_batch, **_STORES
    ),
    _list(f"{BATCH}/files", file_batches.list_batch_files, VectorStoreFile, has_filter=True, **_STORES),
    # API: models come all at once, and no parameter is read.
    _list("/v1/models", models.list_models, Model, needs_beta=False, is_list=False),
    _get("/v1/models/{model:path}", models.get_model, Model, needs_beta=False),
    _delete("/v1/models/{model:path}", models.delete_model, needs_beta=False),
)
