"""The composition root: the only module that names an adapter."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct
from starlette.types import ASGIApp

from runstead.bus.local import LocalBus
from runstead.executor import heartbeat, reconciler
from runstead.executor.run_driver import Tools
from runstead.executor.worker import LeaseTimes, Worker
from runstead.http import application, auth, health, openapi
from runstead.http.api import Api
from runstead.http.cors import Cors
from runstead.metrics import CountingJournal, Metrics, TimedModel
from runstead.model.chat_completions import ChatCompletions
from runstead.ports import Model
from runstead.settings import Settings
from runstead.store.errors import UnusableDatabase
from runstead.store.inspection import DatabaseState, inspect_file
from runstead.store.sqlite import SqliteStore


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Unix seconds."""
        return time.time()


class Node(Struct, frozen=True):
    """A running node: its application and the parts that a stop has to see to."""

    asgi: ASGIApp
    worker: Worker
    bus: LocalBus
    model: Model


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
    """Fetch what the embedded model needs; told sentence by sentence. Raises RunsteadError."""
    from runstead.model import weights

    weights.prepare(settings.data_dir, progress)


def inspect_store(path: Path) -> DatabaseState:
    """What a database file holds and who serves it. Raises UnusableDatabase."""
    return inspect_file(path)


@asynccontextmanager
async def running(settings: Settings, *, bound_host: str) -> AsyncIterator[Node]:
    """A node from the opening of its store to the last release; leaving the block stops everything.

    Raises UnusableDatabase or ModelFailed when it cannot start.
    """
    clock = SystemClock()
    _make_folder(settings.database_path)
    store = await SqliteStore.open_file(settings.database_path, clock)
    try:
        metrics = Metrics()
        model = TimedModel(open_model(settings), metrics)
        try:
            bus = LocalBus()
            journal = CountingJournal(store, bus, metrics)
            tools = Tools(
                store=store,
                bus=bus,
                journal=journal,
                model=model,
                clock=clock,
                max_model_calls=settings.max_model_calls,
                builtin=frozenset(),
            )
            worker = Worker(
                tools,
                owner=f"node_{secrets.token_hex(8)}",
                capacity=settings.max_runs,
                times=LeaseTimes.of(settings.lease_for),
            )
            metrics.watch_executing(lambda: len(worker.drivers))
            api = Api(
                store=store,
                journal=journal,
                bus=bus,
                desk=worker,
                model=model,
                clock=clock,
                run_expires_after=settings.run_expires_after,
            )
            # The lock on the database file says that no other worker lives: nobody's lease has to be waited for.
            await reconciler.adopt(worker)
            async with asyncio.TaskGroup() as loops:
                tasks = [
                    loops.create_task(loop, name=name)
                    for name, loop in (
                        ("offers", worker.serve_offers()),
                        ("cancels", worker.serve_cancels()),
                        ("heartbeat", heartbeat.keep(worker)),
                        ("reconciler", reconciler.keep(worker)),
                    )
                ]
                try:
                    yield Node(_asgi(settings, api, worker, metrics, bound_host), worker, bus, model)
                finally:
                    for task in tasks:
                        task.cancel()
        finally:
            await model.close()
    finally:
        await store.close()


def _make_folder(database: Path) -> None:
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnusableDatabase(str(database), f"its folder cannot be made ({error.strerror})") from error


def _asgi(settings: Settings, api: Api, worker: Worker, metrics: Metrics, bound_host: str) -> ASGIApp:
    check = application.checker(auth.Keys(settings.api_keys), bound_host=bound_host, origins=settings.cors_origins)
    app: ASGIApp = application.Application(
        application.routes(api, max_body=settings.max_body, requires_beta=settings.requires_beta),
        check=check,
        on_answer=metrics.answered,
        open_routes=[*health.routes(lambda: not worker.is_stopping, metrics.page), *openapi.routes()],
    )
    if settings.cors_origins:
        app = Cors(app, settings.cors_origins)
    return app
