"""How a store file gets from `in_progress` to an end."""

from msgspec.structs import replace

from runstead.domain import ingestion
from runstead.domain.file_writes import StoreFileRecord
from runstead.domain.ingestion import LONGEST_PAUSE, MOST_ATTEMPTS, MOST_TRIES
from runstead.wire.base import FileId, VectorStoreId
from runstead.wire.vector_stores import IngestionError, StaticChunking, StaticStrategy, VectorStoreFile

NOW = 1_700_000_000.0


def a_record(**fields) -> StoreFileRecord:
    file = VectorStoreFile(
        id=FileId("file-a"),
        created_at=int(NOW),
        vector_store_id=VectorStoreId("vs_a"),
        chunking_strategy=StaticStrategy(StaticChunking()),
    )
    return StoreFileRecord(file=file, **fields)


def claimed(record: StoreFileRecord, owner: str = "node_a") -> StoreFileRecord:
    return ingestion.claim(record, owner=owner, now=NOW, lease_for=6.0)


def test_a_claim_counts_before_anything_is_read() -> None:
    record = claimed(claimed(a_record()), "node_b")
    assert (record.owner, record.epoch, record.attempts, record.lease_until) == ("node_b", 2, 2, NOW + 6.0)
    assert record.file.status == "in_progress"


def test_a_renewal_changes_nothing_else() -> None:
    record = claimed(a_record())
    assert ingestion.renew(record, now=NOW + 2, lease_for=6.0) == replace(record, lease_until=NOW + 8.0)


def test_a_file_is_worn_out_by_deaths_only() -> None:
    record = a_record()
    assert not ingestion.is_worn_out(record)
    for _ in range(MOST_ATTEMPTS):
        assert not ingestion.is_worn_out(record)
        record = claimed(record)
    # Its last reader is still named: it died.
    assert ingestion.is_worn_out(record)
    assert not ingestion.is_worn_out(ingestion.try_later(record, "down", now=NOW))
    given_up = ingestion.wear_out(record)
    assert given_up.file.status == "failed"
    assert given_up.file.last_error == IngestionError(
        "server_error", "The server stopped 3 times while it read this file; it was given up."
    )


def test_a_reader_that_stops_says_nothing_against_the_file() -> None:
    record = a_record()
    for _ in range(10):
        record = ingestion.give_back(claimed(record))
    assert (record.attempts, record.owner, record.lease_until) == (0, None, None)
    assert not ingestion.is_worn_out(record)


def test_each_pause_is_longer_until_there_is_none() -> None:
    record, pauses = a_record(), []
    while True:
        record = ingestion.try_later(claimed(record), "The embeddings server is down.", now=NOW)
        assert record.owner is None
        if record.file.status != "in_progress":
            break
        assert record.lease_until is not None
        pauses.append(record.lease_until - NOW)
    assert len(pauses) == MOST_TRIES - 1
    assert pauses == sorted(pauses)
    assert pauses[0] == 2.0
    assert pauses[-1] == LONGEST_PAUSE
    assert record.file.status == "failed"
    assert record.file.last_error == IngestionError("server_error", "The embeddings server is down.")
    assert record.lease_until is None


def test_an_end_lets_go_and_clears_what_went_before() -> None:
    failed = ingestion.fail(claimed(a_record()), "unsupported_file", "The file type is not supported.")
    assert (failed.file.status, failed.owner, failed.lease_until) == ("failed", None, None)
    done = ingestion.complete(claimed(failed), 123)
    assert (done.file.status, done.file.usage_bytes, done.file.last_error, done.owner) == ("completed", 123, None, None)
