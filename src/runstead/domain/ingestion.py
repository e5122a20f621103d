"""How a store file gets from `in_progress` to an end: who reads it, how often, and what is said when it cannot be read.

The same leases and epochs as a run's: every write is fenced by `ReplaceStoreFile`, so a file that was cancelled, deleted or
taken by another meanwhile is not written by who has lost it.
"""

from msgspec.structs import replace

from runstead.domain.file_writes import StoreFileRecord
from runstead.wire.vector_stores import IngestionError, IngestionErrorCode, VectorStoreFile

MOST_ATTEMPTS = 3
"""Claims of a file that all ended with the death of who read it."""
MOST_TRIES = 8
"""Claims of a file in all; what it takes to read it (the embedding server, the store) was out of reach each time."""
LONGEST_PAUSE = 60.0

MOST_TOKENS = 5_000_000
"""API: tokens of one file."""
TOO_LARGE = "The file could not be parsed because it is too large."


def is_hidden(file: VectorStoreFile) -> bool:
    """Whether searches must not show it. One that is read anew is found as it was until then."""
    return file.status in ("cancelled", "failed")


def is_worn_out(record: StoreFileRecord) -> bool:
    """Whether a file that is about to be claimed has already taken its readers with it too often.

    A reader that only met trouble gives the file back and leaves no owner.
    """
    return record.owner is not None and record.attempts >= MOST_ATTEMPTS


def claim(record: StoreFileRecord, *, owner: str, now: float, lease_for: float) -> StoreFileRecord:
    """The file in the hands of a reader."""
    return replace(
        record, owner=owner, epoch=record.epoch + 1, attempts=record.attempts + 1, lease_until=now + lease_for
    )


def renew(record: StoreFileRecord, *, now: float, lease_for: float) -> StoreFileRecord:
    """A longer lease."""
    return replace(record, lease_until=now + lease_for)


def give_back(record: StoreFileRecord) -> StoreFileRecord:
    """For whoever has time: its reader stops, which says nothing against the file."""
    return replace(record, owner=None, lease_until=None, attempts=record.attempts - 1)


def try_later(record: StoreFileRecord, reason: str, *, now: float) -> StoreFileRecord:
    """Wait for what could not be reached, longer each time; after many times that is its end."""
    if record.attempts >= MOST_TRIES:
        return fail(record, "server_error", reason)
    pause = min(LONGEST_PAUSE, 2.0**record.attempts)
    return replace(record, owner=None, lease_until=now + pause)


def complete(record: StoreFileRecord, usage_bytes: int) -> StoreFileRecord:
    """The file can be found."""
    done = replace(record.file, status="completed", usage_bytes=usage_bytes, last_error=None)
    return replace(record, file=done, owner=None, lease_until=None)


def fail(record: StoreFileRecord, code: IngestionErrorCode, message: str) -> StoreFileRecord:
    """The file cannot be searched, and this is why."""
    failed = replace(record.file, status="failed", last_error=IngestionError(code, message))
    return replace(record, file=failed, owner=None, lease_until=None)


def wear_out(record: StoreFileRecord) -> StoreFileRecord:
    """See `is_worn_out`."""
    words = f"The server stopped {record.attempts} times while it read this file; it was given up."
    return fail(record, "server_error", words)
