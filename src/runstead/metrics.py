"""Counts for Prometheus, taken where everything passes anyway: the answers, the journal and the model port.

No label holds an id, a model's name or anything that a client wrote. `docs/metrics.md` explains each metric.
"""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from runstead.domain import run_lifecycle
from runstead.domain.change import Change, InsertRun, ReplaceRun, TakeRun
from runstead.domain.errors import ModelFailed, Unavailable
from runstead.domain.file_writes import ReplaceStoreFile
from runstead.ports import Model
from runstead.wire.chat import ChatChunk, ChatRequest
from runstead.wire.models import Model as ModelCard

ANSWER_BUCKETS = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0)
ROWS_WITHIN = 1.0
"""Seconds that a page waits for the store."""
FIRST_TOKEN_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """One node's metrics in a registry of their own."""

    def __init__(self) -> None:
        # A second series for each, which says when it was created, would double the page for nobody.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "runstead_requests_total",
            "Answers, by operation and class of status.",
            ("operation", "status"),
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "runstead_request_seconds",
            "Seconds until an answer began; a stream begins when its run is stored.",
            ("operation",),
            buckets=ANSWER_BUCKETS,
            registry=self.registry,
        )
        self._runs_created = Counter("runstead_runs_created_total", "Runs stored.", registry=self.registry)
        self._runs_ended = Counter(
            "runstead_runs_ended_total", "Runs that reached an end, by status.", ("status",), registry=self.registry
        )
        self._runs_taken_over = Counter(
            "runstead_runs_taken_over_total", "Runs claimed again after their worker was lost.", registry=self.registry
        )
        self._runs_executing = Gauge(
            "runstead_runs_executing", "Runs this node is driving now.", registry=self.registry
        )
        self._bus_connected = Gauge(
            "runstead_bus_connected", "Whether other nodes can be told anything now.", registry=self.registry
        )
        self._model_calls = Counter(
            "runstead_model_calls_total", "Model calls that ended, by outcome.", ("outcome",), registry=self.registry
        )
        self._first_token_seconds = Histogram(
            "runstead_model_first_token_seconds",
            "Seconds from a model call to its first piece of an answer, retries included.",
            buckets=FIRST_TOKEN_BUCKETS,
            registry=self.registry,
        )
        self._files_ingested = Counter(
            "runstead_files_ingested_total",
            "Files of vector stores that reached an end, by status.",
            ("status",),
            registry=self.registry,
        )
        self._files_reading = Gauge(
            "runstead_files_reading", "Files this node is making searchable now.", registry=self.registry
        )
        self._files_unfinished = Gauge(
            "runstead_files_unfinished", "Files of vector stores in progress, on all nodes.", registry=self.registry
        )
        self._count_unfinished: Callable[[], Awaitable[int]] | None = None
        # Looking a labelled child up in the library costs more than counting does.
        self._of_answer: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        for status in sorted(run_lifecycle.TERMINAL):
            self._runs_ended.labels(status)
        for outcome in ("answered", "failed", "interrupted"):
            self._model_calls.labels(outcome)
        for ended in ("completed", "failed"):
            self._files_ingested.labels(ended)

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """A request was answered; `seconds` until the answer began."""
        key = operation, status // 100
        found = self._of_answer.get(key)
        if found is None:
            found = self._requests.labels(operation, f"{key[1]}xx"), self._request_seconds.labels(operation)
            self._of_answer[key] = found
        found[0].inc()
        found[1].observe(seconds)

    def committed(self, change: Change) -> None:
        """A change was stored."""
        for write in change.writes:
            match write:
                case InsertRun():
                    self._runs_created.inc()
                case ReplaceRun(record=record) | TakeRun(record=record):
                    if record.run.status in run_lifecycle.TERMINAL:
                        self._runs_ended.labels(record.run.status).inc()
                    elif isinstance(write, TakeRun) and write.was.owner is not None:
                        self._runs_taken_over.inc()
                case ReplaceStoreFile(record=file, was=was):
                    if file.file.status != was.file.status:
                        self._files_ingested.labels(file.file.status).inc()
                case _:
                    pass

    def model_called(self, outcome: str) -> None:
        """A model call ended."""
        self._model_calls.labels(outcome).inc()

    def model_began(self, seconds: float) -> None:
        """The first piece of an answer came."""
        self._first_token_seconds.observe(seconds)

    def watch_executing(self, count: Callable[[], int]) -> None:
        """Where to ask how many runs are being driven, when somebody wants to know."""
        self._runs_executing.set_function(count)

    def watch_reading(self, count: Callable[[], int]) -> None:
        """Where to ask how many files are being read."""
        self._files_reading.set_function(count)

    def watch_unfinished(self, count: Callable[[], Awaitable[int]]) -> None:
        """Where to ask how many files are in progress; it may raise Unavailable."""
        self._count_unfinished = count

    def watch_bus(self, is_connected: Callable[[], bool]) -> None:
        """Where to ask whether the bus is connected."""
        self._bus_connected.set_function(is_connected)

    async def page(self) -> bytes:
        """Everything in Prometheus' text format."""
        if self._count_unfinished is not None:
            self._files_unfinished.set(await _or_nothing(self._count_unfinished()))
        return generate_latest(self.registry)


async def _or_nothing(count: Awaitable[int]) -> float:
    """A count that rows have to tell; not a number while they cannot, because all else is told nevertheless."""
    try:
        async with asyncio.timeout(ROWS_WITHIN):
            return await count
    except (Unavailable, TimeoutError):
        return math.nan


class TimedModel:
    """Any model, with its calls counted and their first pieces timed."""

    def __init__(self, model: Model, metrics: Metrics) -> None:
        self._model = model
        self._metrics = metrics

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Sequence[ChatChunk], None]:
        """See ports.Model."""
        asked_at: float | None = time.perf_counter()
        outcome = "interrupted"
        try:
            async with aclosing(self._model.stream(request)) as chunks:
                async for some in chunks:
                    if asked_at is not None:
                        self._metrics.model_began(time.perf_counter() - asked_at)
                        asked_at = None
                    yield some
            outcome = "answered"
        except ModelFailed:
            outcome = "failed"
            raise
        finally:
            self._metrics.model_called(outcome)

    async def window(self, model: str) -> int:
        """See ports.Model."""
        return await self._model.window(model)

    async def list_models(self) -> list[ModelCard]:
        """See ports.Model."""
        return await self._model.list_models()

    async def check(self) -> str:
        """See ports.Model."""
        return await self._model.check()

    async def close(self) -> None:
        """See ports.Model."""
        await self._model.close()
