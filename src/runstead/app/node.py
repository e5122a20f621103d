"""A node: everything that runs in one process, from the opening of its store to the last release."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Literal

from msgspec import Struct
from starlette.types import ASGIApp

from runstead.app.ground import Ground, NodeBus, stand
from runstead.app.models import open_model
from runstead.app.sandboxes import open_sandbox
from runstead.app.searching import open_search
from runstead.blobs.opening import folder_of, open_contents
from runstead.executor import heartbeat, housekeeper, reconciler
from runstead.executor.index_keeper import IndexKeeper
from runstead.executor.ingester import Ingester
from runstead.executor.ingestion import Means
from runstead.executor.run_driver import Tools
from runstead.executor.session_ends import SessionEnds
from runstead.executor.worker import LeaseTimes, Worker
from runstead.http import application, auth, health, openapi, reference
from runstead.http.api import Api
from runstead.http.cors import Cors
from runstead.http.endings import Endings
from runstead.journal import Journal
from runstead.metrics import Metrics, TimedModel
from runstead.ports import Model
from runstead.settings import Settings
from runstead.tools.code_interpreter import CodeInterpreterTool
from runstead.tools.code_sessions import CodeSessions
from runstead.tools.file_search import FileSearchTool
from runstead.tools.library import Library
from runstead.tools.rewriting import Rewriter
from runstead.tools.stored_code_files import StoredCodeFiles
from runstead.tools.toolbox import Toolbox

Role = Literal["all", "api", "worker"]
"""What a node does: answer and execute, or one of the two."""


class Node(Struct, frozen=True):
    """A running node: its application and the parts that a stop has to see to."""

    asgi: ASGIApp
    worker: Worker
    bus: NodeBus
    model: Model
    code_sessions: CodeSessions | None
    is_alone: bool


@asynccontextmanager
async def running(settings: Settings, *, bound_host: str, role: Role = "all") -> AsyncIterator[Node]:
    """A node from the opening of its store to the last release; leaving the block stops everything.

    Raises UnusableDatabase, UnusableBus or ModelFailed when it cannot start.
    """
    async with AsyncExitStack() as stack:
        ground = await stack.enter_async_context(stand(settings))
        blobs = await open_contents(settings.blobs_url, await ground.store.contents_name())
        metrics = Metrics()
        model = TimedModel(open_model(settings), metrics)
        stack.push_async_callback(model.close)
        journal = Journal(ground.store, ground.bus)
        journal.tell(metrics.committed)
        search = await open_search(settings, stack)
        means = Means(ground.store, blobs, search.extractor, search.embedder, search.index)
        index_keeper = IndexKeeper(means)
        journal.tell(index_keeper.committed)
        library = Library(
            ground.store,
            journal,
            ground.clock,
            search.index,
            embedder=search.embedder,
            reranker=search.reranker,
            followed=index_keeper.followed,
        )
        # Functions, because nothing may begin before everything is there.
        loops: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {}
        owner, times = f"node_{secrets.token_hex(8)}", LeaseTimes.of(settings.lease_for)
        toolbox = Toolbox()
        code_sessions: CodeSessions | None = None
        if role != "api":
            sandbox = open_sandbox(settings)
            stack.push_async_callback(sandbox.close)
            session_ends = SessionEnds(sandbox)
            journal.tell(session_ends.committed)
            loops["session ends"] = session_ends.keep
            if not ground.is_alone:
                code_sessions = CodeSessions(
                    sandbox, ground.store, journal, ground.clock, owner=owner, lease_for=times.lease_for
                )
                loops["code sessions"] = code_sessions.keep
            files = StoredCodeFiles(ground.store, blobs, journal, ground.clock)
            toolbox = Toolbox(
                code_interpreter=CodeInterpreterTool(
                    sandbox, files, timeout=settings.code_timeout, sessions=code_sessions
                ),
                file_search=FileSearchTool(library),
            )
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
            owner=owner,
            # A node that only answers has no room, and everything else about it is the same.
            capacity=0 if role == "api" else settings.max_runs,
            times=times,
            has_peers=not ground.is_alone,
        )
        metrics.watch_executing(lambda: len(worker.drivers))
        metrics.watch_unfinished(ground.store.count_unfinished_files)
        metrics.watch_bus(lambda: ground.bus.is_connected)
        api = Api(
            store=ground.store,
            blobs=blobs,
            journal=journal,
            bus=ground.bus,
            endings=Endings(ground.store, is_told=lambda: ground.bus.is_connected),
            desk=worker,
            model=model,
            library=library,
            rewriter=None if settings.rewrite_model is None else Rewriter(model, settings.rewrite_model),
            clock=ground.clock,
            run_expires_after=settings.run_expires_after,
        )
        if ground.is_alone:
            await reconciler.adopt(worker)
            if folder_of(settings.blobs_url) is not None:
                # A bucket has more readers, and more to list: there the sweep is early enough.
                await housekeeper.tidy(ground.store, blobs)
        loops |= {
            "index follower": index_keeper.follow,
            "index keeper": partial(index_keeper.keep, repairs=role != "api"),
            "endings": api.endings.keep,
            "reconciler": partial(reconciler.keep, worker),
            "housekeeper": partial(housekeeper.keep, ground.store, blobs, journal, ground.clock),
        }
        if role != "api":
            ingester = Ingester(means, journal, ground.clock, owner=worker.owner, times=worker.times)
            journal.tell(ingester.committed)
            metrics.watch_reading(lambda: ingester.reading)
            loops |= {
                "ingester": ingester.keep,
                "offers": worker.serve_offers,
                "cancels": worker.serve_cancels,
                "heartbeat": partial(heartbeat.keep, worker),
            }
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(loop(), name=name) for name, loop in loops.items()]
            try:
                asgi = _asgi(settings, api, worker, metrics, ground, bound_host, role)
                yield Node(asgi, worker, ground.bus, model, code_sessions, is_alone=ground.is_alone)
            finally:
                for task in tasks:
                    task.cancel()


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
        is_stopping=lambda: worker.is_stopping,
        is_told=lambda: ground.bus.is_connected,
        store=ground.store,
        hides_files=settings.hides_files,
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
        open_routes=[*health.routes(state, metrics.page), *openapi.routes(), *reference.routes()],
    )
    return Cors(app, settings.cors_origins) if settings.cors_origins else app
