"""docs/metrics.md names every metric with its labels; and each counts what the page says."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runstead.domain import ingestion
from runstead.domain.change import Change, InsertRun, ReplaceRun, TakeRun
from runstead.domain.errors import ModelFailed, Unavailable
from runstead.domain.file_writes import ReplaceStoreFile, StoreFileRecord
from runstead.journal import Journal
from runstead.metrics import Metrics, TimedModel
from runstead.wire.base import FileId, VectorStoreId
from runstead.wire.chat import ChatChunk, ChatRequest
from runstead.wire.vector_stores import StaticChunking, StaticStrategy, VectorStoreFile
from tests.docs.pages import read, rows

REQUEST = ChatRequest(model="m", messages=[])
DOCUMENTED = {row[0]: row for row in rows(read("docs/metrics.md"))}


def families(metrics: Metrics) -> dict[str, Any]:
    """Our metrics by the names under which they are served."""
    found = {}
    for family in metrics.registry.collect():
        if family.name.startswith("runstead_"):
            found[family.name + ("_total" if family.type == "counter" else "")] = family
    return found


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def test_every_metric_is_documented_with_its_type(metrics):
    assert {name: row[1] for name, row in DOCUMENTED.items()} == {
        name: family.type for name, family in families(metrics).items()
    }


def test_labels_are_the_documented_ones(metrics):
    metrics.answered("get_run", 200, 0.1)

    for name, family in families(metrics).items():
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert labels == set(filter(None, DOCUMENTED[name][2].split(", "))), name


async def test_every_family_is_on_the_page_that_is_served(metrics):
    page = (await metrics.page()).decode()

    assert all(f"# TYPE {name} " in page for name in families(metrics))
    assert "_created " not in page


def test_an_answer_is_counted_by_operation_and_class(metrics):
    metrics.answered("get_run", 200, 0.01)
    metrics.answered("get_run", 404, 0.01)

    assert value(metrics, "runstead_requests_total", operation="get_run", status="2xx") == 1
    assert value(metrics, "runstead_requests_total", operation="get_run", status="4xx") == 1
    assert value(metrics, "runstead_request_seconds_count", operation="get_run") == 2


def run(status: str, owner: str | None = None) -> Any:
    """As much of a record as is looked at."""
    return SimpleNamespace(run=SimpleNamespace(status=status), owner=owner)


def test_runs_are_counted_when_they_are_stored(metrics):
    metrics.committed(Change(writes=(InsertRun(run("queued")),)))
    metrics.committed(Change(writes=(ReplaceRun(run("requires_action"), was=run("in_progress", "a")),)))
    metrics.committed(Change(writes=(ReplaceRun(run("completed"), was=run("in_progress", "a")),)))

    assert value(metrics, "runstead_runs_created_total") == 1
    assert value(metrics, "runstead_runs_ended_total", status="completed") == 1
    assert value(metrics, "runstead_runs_ended_total", status="failed") == 0
    assert value(metrics, "runstead_runs_taken_over_total") == 0


def test_a_run_is_taken_over_only_from_somebody(metrics):
    metrics.committed(Change(writes=(TakeRun(run("in_progress", "b"), was=run("queued")),)))
    metrics.committed(Change(writes=(TakeRun(run("in_progress", "b"), was=run("in_progress", "a")),)))
    metrics.committed(Change(writes=(TakeRun(run("expired"), was=run("in_progress", "a")),)))

    assert value(metrics, "runstead_runs_taken_over_total") == 1
    assert value(metrics, "runstead_runs_ended_total", status="expired") == 1


def test_a_change_that_is_refused_is_not_counted(metrics):
    class Refusing:
        async def commit(self, change: Change) -> None:
            raise RuntimeError

    journal = Journal(cast(Any, Refusing()), cast(Any, None))
    journal.tell(metrics.committed)

    with pytest.raises(RuntimeError):
        asyncio.run(journal.commit(Change(writes=(InsertRun(run("queued")),))))

    assert value(metrics, "runstead_runs_created_total") == 0


@pytest.mark.parametrize("is_connected", [True, False])
def test_the_bus_is_asked_for_when_somebody_looks(metrics, is_connected):
    metrics.watch_bus(lambda: is_connected)

    assert value(metrics, "runstead_bus_connected") == is_connected


def test_executing_runs_are_asked_for_when_somebody_looks(metrics):
    metrics.watch_executing(lambda: 7)

    assert value(metrics, "runstead_runs_executing") == 7


class Speaker:
    """A model that says something twice, then ends or breaks."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.closed = False

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Sequence[ChatChunk], None]:
        try:
            yield [ChatChunk()]
            yield [ChatChunk()]
            if self.failure:
                raise self.failure
        finally:
            self.closed = True


async def listen(model: TimedModel, pieces: int) -> None:
    stream = model.stream(REQUEST)
    for _ in range(pieces):
        if await anext(stream, None) is None:
            return
    await stream.aclose()


@pytest.mark.parametrize(
    ("failure", "pieces", "outcome"),
    [(None, 3, "answered"), (ModelFailed("server_error", "broke"), 3, "failed"), (None, 1, "interrupted")],
)
def test_a_model_call_is_counted_by_its_outcome(metrics, failure, pieces, outcome):
    speaker = Speaker(failure)
    model = TimedModel(cast(Any, speaker), metrics)

    if failure is None:
        asyncio.run(listen(model, pieces))
    else:
        with pytest.raises(ModelFailed):
            asyncio.run(listen(model, pieces))

    assert value(metrics, "runstead_model_calls_total", outcome=outcome) == 1
    assert value(metrics, "runstead_model_first_token_seconds_count") == 1
    assert speaker.closed


async def test_files_are_counted_when_they_reach_an_end(metrics):
    was = StoreFileRecord(
        file=VectorStoreFile(
            id=FileId("file-a"),
            created_at=0,
            vector_store_id=VectorStoreId("vs_a"),
            chunking_strategy=StaticStrategy(StaticChunking()),
        )
    )
    done, failed = ingestion.complete(was, 9), ingestion.fail(was, "invalid_file", "It is damaged.")
    claimed = ingestion.claim(was, owner="node_a", now=0.0, lease_for=6.0)
    # Reading one again that was completed is no second end.
    again = ReplaceStoreFile(ingestion.complete(done, 10), done)

    metrics.committed(Change(writes=(ReplaceStoreFile(claimed, was), ReplaceStoreFile(done, claimed), again)))
    metrics.committed(Change(writes=(ReplaceStoreFile(failed, claimed),)))

    assert value(metrics, "runstead_files_ingested_total", status="completed") == 1
    assert value(metrics, "runstead_files_ingested_total", status="failed") == 1
    metrics.watch_reading(lambda: 2)
    assert value(metrics, "runstead_files_reading") == 2


async def test_unfinished_files_are_counted_when_somebody_asks(metrics):
    async def count() -> int:
        return next(counts)

    async def unavailable() -> int:
        raise Unavailable("The database is away.")

    counts = iter([3, 4])
    for watched, shown in ((count, b"3.0"), (count, b"4.0"), (unavailable, b"NaN")):
        metrics.watch_unfinished(watched)

        assert b"\nrunstead_files_unfinished " + shown in await metrics.page()
