"""The composition root: the only module that names an adapter."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Struct, structs
from starlette.types import ASGIApp

from runstead.blobs.opening import folder_of, open_contents
from runstead.bus.local import LocalBus
from runstead.domain.errors import RunsteadError
from runstead.executor import heartbeat, housekeeper, reconciler
from runstead.executor.run_driver import Tools
from runstead.executor.worker import LeaseTimes, Worker
from runstead.http import application, auth, health, openapi
from runstead.http.api import Api
from runstead.http.cors import Cors
from runstead.journal import Journal
from runstead.metrics import Metrics, TimedModel
from runstead.model.chat_completions import ChatCompletions
from runstead.ports import Bus, Clock, Model, Sandbox, Store
from runstead.settings import Settings
from runstead.store.errors import UnusableDatabase
from runstead.store.inspection import DatabaseState, inspect_file
from runstead.store.sqlite import SqliteStore
from runstead.tools.code_interpreter import CodeInterpreterTool
from runstead.tools.stored_code_files import StoredCodeFiles
from runstead.tools.toolbox import Toolbox

if TYPE_CHECKING:
    from runstead.bus.nats_dialing import Connecting
    from runstead.bus.nats_inspection import BusState
    from runstead.bus.nats_streams import Streams
    from runstead.store.postgres_inspection import ServerState

Role = Literal["all", "api", "worker"]
"""What a node does: answer and execute, or one of the two."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Unix seconds."""
        return time.time()


class NodeBus(Bus, Protocol):
    """A bus as its node sees it: it can be stopped, and it may be cut off from the others."""

    @property
    def is_connected(self) -> bool: ...

    def stop(self) -> None: ...


class Node(Struct, frozen=True):
    """A running node: its application and the parts that a stop has to see to."""

    asgi: ASGIApp
    worker: Worker
    bus: NodeBus
    model: Model
    is_alone: bool


def open_model(settings: Settings) -> Model:
    """The model that the settings name; needs a running loop. Raises ModelFailed for an unusable address or CA.

    A model that is missing, or does not answer, is no reason not to start: each run that needs it says so.
    """
    if settings.model_url is None:
        from runstead.model.embedded import EmbeddedModel  # only where it is used

        embedded = EmbeddedModel(settings.data_dir)
        embedded.start()
        return embedded
    return ChatCompletions(
        settings.model_url,
        key=settings.model_key,
        model_map=settings.model_map,
        window=settings.model_window,
        ca_file=settings.model_ca,
        idle_limit=settings.model_idle_limit,
    )


def what_model_is_missing(settings: Settings) -> str | None:
    """What keeps the embedded model from running, if it is the one to be used, with the ways out."""
    if settings.model_url is not None:
        return None
    from runstead.model import weights

    return weights.what_is_missing(settings.data_dir)


def prepare_model(settings: Settings, progress: Callable[[str], None]) -> None:
    """Fetch what the embedded models need; told sentence by sentence. Raises RunsteadError."""
    from runstead.model import weights
    from runstead.search import weights as embedding_weights

    weights.prepare(settings.data_dir, progress)
    embedding_weights.prepare(settings.data_dir, progress)


@asynccontextmanager
async def scripted_model(host: str, port: int) -> AsyncIterator[str]:
    """The base URL of a model that says what it is told, while the block lasts."""
    from runstead.model.scripted.server import serve

    async with serve(host, port) as url:
        yield url


def open_sandbox(settings: Settings) -> Sandbox:
    """The sandbox that settings and machine allow; needs a running loop.

    It is tried in the background. One that does not work is no reason not to start: each run that needs it says so.
    """
    from runstead.sandbox import opening

    chosen = opening.open_sandbox(settings)
    chosen.start()
    return chosen


async def ask_sandbox(settings: Settings) -> str:
    """What runs code here, in a line, after a trial. Raises SandboxUnavailable."""
    from runstead.sandbox import opening

    # A trial is one session; none has to be kept ready.
    chosen = opening.open_sandbox(structs.replace(settings, sandbox_warm=0))
    try:
        return await chosen.check()
    finally:
        await chosen.close()


def what_code_finds(settings: Settings) -> str:
    """What the settings let model-written code have, in a line, before anything was tried."""
    from runstead.sandbox import opening

    return opening.what_code_finds(settings)


def prepare_sandbox(settings: Settings, progress: Callable[[str], None]) -> None:
    """Fetch the packages that code may import; told sentence by sentence. Raises RunsteadError."""
    from runstead.sandbox import opening

    opening.prepare(settings, progress)


async def serve_sandbox(
    settings: Settings, host: str, port: int, certificate: Path, key: Path | None, on_start: Callable[[str], None]
) -> None:
    """Lend sandboxes to other machines until SIGTERM or SIGINT. Raises RunsteadError or OSError if that cannot begin."""
    from runstead.sandbox import serving

    await serving.serve(settings, host, port, certificate, key, on_start)


def inspect_store(path: Path) -> DatabaseState:
    """What a database file holds and who serves it. Raises UnusableDatabase."""
    return inspect_file(path)


@contextmanager
def _extra(name: str) -> Iterator[None]:
    """Imports of what only some installations have."""
    try:
        yield
    except ImportError as error:
        raise Missing(error.name or "a package", name) from None


class Missing(RunsteadError):
    """A setting asks for what is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed, which these settings need: pip install 'runstead[{extra}]'.")


def copy_store(source: Path, target: Path) -> int:
    """Copy a database file that may be in use; its schema's version. Raises UnusableDatabase or OSError."""
    from runstead.store.sqlite_backup import copy_database

    return copy_database(source, target)


def copy_blobs(settings: Settings, target: Path) -> int:
    """Copy the contents of files, if a folder of this machine keeps them; how many there are. Raises OSError."""
    from runstead.blobs.copying import copy_folder

    source = folder_of(settings.blobs_url)
    return copy_folder(source, target) if source is not None and source.is_dir() else 0


async def inspect_server(settings: Settings) -> "ServerState":
    """What the PostgreSQL database holds, changing nothing. Raises UnusableDatabase or Missing."""
    with _extra("cluster"):
        from runstead.store import postgres_inspection

    return await postgres_inspection.inspect_server(settings.database_url)


async def inspect_bus(settings: Settings) -> "BusState":
    """What NATS has of ours, changing nothing. Raises UnusableBus or Missing."""
    with _extra("cluster"):
        from runstead.bus import nats_inspection

    return await nats_inspection.inspect(*_bus_of(settings))


class Ground(Struct, frozen=True):
    """What a node stands on: where truth is kept, who is told, and whose clock judges leases."""

    store: Store
    bus: NodeBus
    clock: Clock
    # Whether nobody else serves this store: then every lease found at the start is a dead worker's.
    is_alone: bool


@asynccontextmanager
async def _ground(settings: Settings) -> AsyncIterator[Ground]:
    """Raises UnusableDatabase or UnusableBus."""
    async with AsyncExitStack() as stack:
        if not settings.is_postgres:
            clock = SystemClock()
            _make_folder(settings.database_path)
            file = await SqliteStore.open_file(settings.database_path, clock)
            stack.push_async_callback(file.close)
            yield Ground(file, LocalBus(), clock, is_alone=True)
            return
        with _extra("cluster"):
            from runstead.store.postgres import PostgresStore
            from runstead.store.postgres_connections import Limits
            from runstead.store.postgres_membership import Membership
            from runstead.store.postgres_opening import once_it_answers
        is_alone = settings.nats_url is None
        url, limits = settings.database_url, Limits(readers=settings.database_connections)
        membership = Membership(url, is_alone=is_alone)
        await once_it_answers(membership.join, settings.database_wait)
        stack.push_async_callback(membership.leave)
        store = await once_it_answers(lambda: PostgresStore.open(url, limits=limits), settings.database_wait)
        stack.push_async_callback(store.close)
        bus = await _open_bus(settings, stack)
        yield Ground(store, bus, store.clock, is_alone=is_alone)


async def _open_bus(settings: Settings, stack: AsyncExitStack) -> NodeBus:
    if settings.nats_url is None:
        return LocalBus()
    with _extra("cluster"):
        from runstead.bus.nats import NatsBus

    bus = NatsBus(*_bus_of(settings))
    stack.push_async_callback(bus.close)
    await bus.open()
    return bus


def _bus_of(settings: Settings) -> "tuple[Connecting, Streams]":
    from runstead.bus.nats_dialing import Connecting
    from runstead.bus.nats_streams import Streams

    connecting = Connecting(
        url=settings.nats_url or "",
        credentials=settings.nats_credentials,
        ca_file=settings.nats_ca,
        cert_file=settings.nats_certificate,
        key_file=settings.nats_certificate_key,
    )
    return connecting, Streams(replicas=settings.nats_replicas, max_bytes=settings.nats_max_bytes)


@asynccontextmanager
async def running(settings: Settings, *, bound_host: str, role: Role = "all") -> AsyncIterator[Node]:
    """A node from the opening of its store to the last release; leaving the block stops everything.

    Raises UnusableDatabase, UnusableBus or ModelFailed when it cannot start.
    """
    async with AsyncExitStack() as stack:
        ground = await stack.enter_async_context(_ground(settings))
        blobs = await open_contents(settings.blobs_url, await ground.store.contents_name())
        metrics = Metrics()
        model = TimedModel(open_model(settings), metrics)
        stack.push_async_callback(model.close)
        journal = Journal(ground.store, ground.bus)
        journal.tell(metrics.committed)
        toolbox = Toolbox()
        if role != "api":
            sandbox = open_sandbox(settings)
            stack.push_async_callback(sandbox.close)
            files = StoredCodeFiles(ground.store, blobs, journal, ground.clock)
            toolbox = Toolbox(code_interpreter=CodeInterpreterTool(sandbox, files, timeout=settings.code_timeout))
        tools = Tools(
            store=ground.store,
            bus=ground.bus,
            journal=journal,
            model=model,
            clock=ground.clock,
            max_model_calls=settings.max_model_calls,
            toolbox=toolbox,
        )
        worker = Worker(
            tools,
            owner=f"node_{secrets.token_hex(8)}",
            # A node that only answers has no room, and everything else about it is the same.
            capacity=0 if role == "api" else settings.max_runs,
            times=LeaseTimes.of(settings.lease_for),
        )
        metrics.watch_executing(lambda: len(worker.drivers))
        api = Api(
            store=ground.store,
            blobs=blobs,
            journal=journal,
            bus=ground.bus,
            desk=worker,
            model=model,
            clock=ground.clock,
            run_expires_after=settings.run_expires_after,
        )
        if ground.is_alone:
            await reconciler.adopt(worker)
            await housekeeper.tidy(ground.store, blobs)
        loops = {
            "reconciler": reconciler.keep(worker),
            "housekeeper": housekeeper.keep(ground.store, blobs, journal, ground.clock),
        }
        if role != "api":
            loops |= {
                "offers": worker.serve_offers(),
                "cancels": worker.serve_cancels(),
                "heartbeat": heartbeat.keep(worker),
            }
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(loop, name=name) for name, loop in loops.items()]
            try:
                asgi = _asgi(settings, api, worker, metrics, ground, bound_host, role)
                yield Node(asgi, worker, ground.bus, model, is_alone=ground.is_alone)
            finally:
                for task in tasks:
                    task.cancel()


def _make_folder(database: Path) -> None:
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnusableDatabase(str(database), f"its folder cannot be made ({error.strerror})") from error


def _asgi(
    settings: Settings,
    api: Api,
    worker: Worker,
    metrics: Metrics,
    ground: Ground,
    bound_host: str,
    role: Role,
) -> ASGIApp:
    check = application.checker(auth.Keys(settings.api_keys), bound_host=bound_host, origins=settings.cors_origins)
    state = health.State(
        is_stopping=lambda: worker.is_stopping, is_told=lambda: ground.bus.is_connected, store=ground.store
    )
    # A node that only executes answers those who watch it, and nobody else.
    served = (
        []
        if role == "worker"
        else application.routes(
            api, max_body=settings.max_body, max_upload=settings.max_upload, requires_beta=settings.requires_beta
        )
    )
    app: ASGIApp = application.Application(
        served,
        check=check,
        on_answer=metrics.answered,
        open_routes=[*health.routes(state, metrics.page), *openapi.routes()],
    )
    return Cors(app, settings.cors_origins) if settings.cors_origins else app
