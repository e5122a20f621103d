"""Every statement about files, vector stores and what is in them, by name; see `statements`.

Counts are taken where they are asked for, from an index that holds nothing else: they cannot disagree with the rows,
and files that are ingested at once do not wait for one counter.
"""

from typing import Final

from runstead.store.statements import Listing, listing

STORE_FILE: Final = (
    "vector_store_id, file_id, batch_id, created_at, status, usage_bytes, last_error, attributes, chunking, "
    "epoch, attempts, owner, lease_until"
)


def _counts(column: str, of: str) -> str:
    """How many store files are in each state."""
    counted = (
        f"(SELECT count(*) FROM store_files WHERE {column} = {of} AND status = '{status}')"  # noqa: S608
        for status in ("in_progress", "completed", "failed", "cancelled")
    )
    return ", ".join(counted)


def _remembering(places: str) -> str:
    return f"""
INSERT INTO deleted_places (list, id, seq, deleted_at) {places}
ON CONFLICT (list, id) DO UPDATE SET seq = excluded.seq, deleted_at = excluded.deleted_at
"""


# After a quiet time a single deletion does not pay for thousands.
FORGET_PLACES: Final = """
DELETE FROM deleted_places WHERE (list, id) IN (
    SELECT list, id FROM deleted_places WHERE deleted_at < :forgotten_before ORDER BY deleted_at LIMIT 64)
"""

# Files

CONTENTS_NAME: Final = "SELECT name FROM contents"
INSERT_FILE: Final = """
INSERT INTO files (id, purpose, expires_at, body) VALUES (:id, :purpose, :expires_at, :body)
"""
GET_FILE: Final = "SELECT body FROM files WHERE id = :id"
DELETE_FILE: Final = "DELETE FROM files WHERE id = :id"
KNOWN_FILES: Final = "SELECT id FROM files WHERE id IN (SELECT value FROM json_each(:ids))"
FIND_FILES: Final = "SELECT body FROM files WHERE id IN (SELECT value FROM json_each(:ids))"
EXPIRED_FILES: Final = "SELECT body FROM files WHERE expires_at <= :now ORDER BY expires_at LIMIT :limit"
REMEMBER_FILE: Final = _remembering("SELECT 'files', id, seq, :deleted_at FROM files WHERE id = :id")
REMEMBER_FILE_IN_STORES: Final = _remembering(
    "SELECT vector_store_id, file_id, seq, :deleted_at FROM store_files WHERE file_id = :id"
)
FILES: Final = listing("files", "body", "TRUE", deleted="deleted_places", among="list = 'files'")
FILES_FOR: Final = listing("files", "body", "TRUE", "purpose = :purpose", "deleted_places", among="list = 'files'")

HOLD_FILE: Final = """
INSERT INTO file_holders (file_id, holder) VALUES (:file_id, :holder)
ON CONFLICT (file_id, holder) DO UPDATE SET holder = excluded.holder
"""
HOLDERS_OF_FILE: Final = "SELECT holder FROM file_holders WHERE file_id = :file_id ORDER BY holder"

# Vector stores

_USAGE: Final = "SELECT coalesce(sum(usage_bytes), 0) FROM store_files WHERE vector_store_id = vector_stores.id"
_COUNTS: Final = _counts("vector_store_id", "vector_stores.id")
_STORE: Final = f"body, last_active_at, CAST(({_USAGE}) AS bigint), {_COUNTS}"
INSERT_STORE: Final = """
INSERT INTO vector_stores (id, last_active_at, expires_after, body)
VALUES (:id, :last_active_at, :expires_after, :body)
"""
GET_STORE: Final = f"SELECT {_STORE} FROM vector_stores WHERE id = :id"  # noqa: S608
GET_STORE_BODY: Final = "SELECT body FROM vector_stores WHERE id = :id"
REPLACE_STORE: Final = "UPDATE vector_stores SET expires_after = :expires_after, body = :body WHERE id = :id"
TOUCH_STORE: Final = """
UPDATE vector_stores SET last_active_at = :at
 WHERE id = :id AND last_active_at < :at AND (expires_after IS NULL OR last_active_at + expires_after > :at)
"""
DELETE_STORE: Final = "DELETE FROM vector_stores WHERE id = :id"
REMEMBER_STORE: Final = _remembering("SELECT 'vector_stores', id, seq, :deleted_at FROM vector_stores WHERE id = :id")
STORES: Final = listing("vector_stores", _STORE, "TRUE", deleted="deleted_places", among="list = 'vector_stores'")

# File batches

INSERT_BATCH: Final = """
INSERT INTO file_batches (id, vector_store_id, created_at) VALUES (:id, :vector_store_id, :created_at)
"""
GET_BATCH: Final = f"""
SELECT id, vector_store_id, created_at, cancelled_at, {_counts("batch_id", "file_batches.id")}
  FROM file_batches WHERE id = :id AND vector_store_id = :vector_store_id
"""  # noqa: S608
CANCEL_BATCH: Final = """
UPDATE file_batches SET cancelled_at = coalesce(cancelled_at, :cancelled_at)
 WHERE id = :id AND vector_store_id = :vector_store_id
"""
CANCEL_FILES_OF_BATCH: Final = """
UPDATE store_files SET status = 'cancelled', epoch = epoch + 1, owner = NULL, lease_until = NULL
 WHERE batch_id = :id AND status = 'in_progress'
"""

# Files in vector stores

# Which of the files that are there already need no work.
_STANDS: Final = "store_files.chunking = excluded.chunking AND store_files.status IN ('in_progress', 'completed')"
_ADDED: Final = "store_files (vector_store_id, file_id, batch_id, created_at, status, attributes, chunking)"


def adding(item: str, source: str) -> str:
    """`item` spells a member of the JSON array `files`, which `source` unfolds."""
    return f"""
INSERT INTO {_ADDED}
SELECT :vector_store_id, {item.format("file_id")}, :batch_id, :created_at, 'in_progress',
       {item.format("attributes")}, {item.format("chunking")}
  FROM {source} AS item WHERE TRUE
ON CONFLICT (vector_store_id, file_id) DO UPDATE
   SET batch_id = excluded.batch_id, attributes = excluded.attributes, chunking = excluded.chunking,
       status = CASE WHEN {_STANDS} THEN store_files.status ELSE 'in_progress' END,
       usage_bytes = CASE WHEN {_STANDS} THEN store_files.usage_bytes ELSE 0 END,
       last_error = CASE WHEN {_STANDS} THEN store_files.last_error END,
       epoch = CASE WHEN {_STANDS} THEN store_files.epoch ELSE store_files.epoch + 1 END,
       attempts = CASE WHEN {_STANDS} THEN store_files.attempts ELSE 0 END,
       owner = CASE WHEN {_STANDS} THEN store_files.owner END,
       lease_until = CASE WHEN {_STANDS} THEN store_files.lease_until END
"""  # noqa: S608


ADD_STORE_FILES: Final = adding("json_extract(item.value, '$.{}')", "json_each(:files)")
FIND_FULL_STORE: Final = """
SELECT id FROM vector_stores
 WHERE id = :vector_store_id AND (SELECT count(*) FROM store_files WHERE vector_store_id = :vector_store_id) > :most
"""
GET_STORE_FILE: Final = f"""
SELECT {STORE_FILE} FROM store_files WHERE vector_store_id = :vector_store_id AND file_id = :file_id
"""  # noqa: S608
FIND_STORE_FILES: Final = f"""
SELECT {STORE_FILE} FROM store_files
 WHERE vector_store_id = :vector_store_id AND file_id IN (SELECT value FROM json_each(:ids))
"""  # noqa: S608
# The fence of every ingester's write is in the statement itself; what others may change is not in it.
REPLACE_STORE_FILE: Final = """
UPDATE store_files
   SET status = :status, usage_bytes = :usage_bytes, last_error = :last_error, epoch = :epoch, attempts = :attempts,
       owner = :owner, lease_until = :lease_until
 WHERE vector_store_id = :vector_store_id AND file_id = :file_id
   AND status = :was_status AND epoch = :was_epoch AND owner IS :was_owner
"""
SET_ATTRIBUTES: Final = """
UPDATE store_files SET attributes = :attributes WHERE vector_store_id = :vector_store_id AND file_id = :file_id
"""
DELETE_STORE_FILE: Final = "DELETE FROM store_files WHERE vector_store_id = :vector_store_id AND file_id = :file_id"
REMEMBER_STORE_FILE: Final = _remembering(
    "SELECT vector_store_id, file_id, seq, :deleted_at FROM store_files "
    "WHERE vector_store_id = :vector_store_id AND file_id = :file_id"
)
UNFINISHED_FILES: Final = f"""
SELECT {STORE_FILE} FROM store_files
 WHERE status = 'in_progress' AND (lease_until IS NULL OR lease_until < :now) ORDER BY seq LIMIT :limit
"""  # noqa: S608

COUNT_UNFINISHED_FILES: Final = "SELECT count(*) FROM store_files WHERE status = 'in_progress'"

_IN_STORE: Final = "vector_store_id = :vector_store_id"
_IN_BATCH: Final = "vector_store_id = :vector_store_id AND batch_id = :batch_id"


def _store_files(scope: str, narrowed: str = "TRUE") -> Listing:
    return listing(
        "store_files", STORE_FILE, scope, narrowed, "deleted_places", id="file_id", among="list = :vector_store_id"
    )


STORE_FILES: Final = _store_files(_IN_STORE)
STORE_FILES_IN: Final = _store_files(_IN_STORE, "status = :status")
BATCH_FILES: Final = _store_files(_IN_BATCH)
BATCH_FILES_IN: Final = _store_files(_IN_BATCH, "status = :status")
