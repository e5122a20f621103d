-- Files, vector stores, the files in them, and the batches in which those were added. Contents lie elsewhere.
-- AUTOINCREMENT: a place in the order is never given away again, so a deleted object may stay a cursor.

CREATE TABLE files (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    purpose    TEXT NOT NULL,
    expires_at INTEGER,
    body       BLOB NOT NULL
);

CREATE INDEX files_by_purpose ON files (purpose, seq);
CREATE INDEX files_by_expiry ON files (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE vector_stores (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    id             TEXT NOT NULL UNIQUE,
    last_active_at INTEGER NOT NULL,
    expires_after  INTEGER,
    body           BLOB NOT NULL
);

CREATE TABLE file_batches (
    id              TEXT PRIMARY KEY,
    vector_store_id TEXT NOT NULL REFERENCES vector_stores (id) ON DELETE CASCADE,
    created_at      INTEGER NOT NULL,
    cancelled_at    INTEGER
) WITHOUT ROWID;

CREATE INDEX file_batches_by_store ON file_batches (vector_store_id);

-- A row in progress wants to be ingested; who does so holds it by owner, epoch and lease, as a worker holds a run.
CREATE TABLE store_files (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    vector_store_id TEXT NOT NULL REFERENCES vector_stores (id) ON DELETE CASCADE,
    file_id         TEXT NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    batch_id        TEXT REFERENCES file_batches (id) ON DELETE SET NULL,
    created_at      INTEGER NOT NULL,
    status          TEXT NOT NULL,
    usage_bytes     INTEGER NOT NULL DEFAULT 0,
    last_error      BLOB,
    attributes      BLOB NOT NULL,
    chunking        BLOB NOT NULL,
    epoch           INTEGER NOT NULL DEFAULT 0,
    attempts        INTEGER NOT NULL DEFAULT 0,
    owner           TEXT,
    lease_until     REAL,
    UNIQUE (vector_store_id, file_id)
);

CREATE INDEX store_files_by_store ON store_files (vector_store_id, seq);
CREATE INDEX store_files_by_status ON store_files (vector_store_id, status, usage_bytes);
CREATE INDEX store_files_by_file ON store_files (file_id);
CREATE INDEX store_files_by_batch ON store_files (batch_id, seq) WHERE batch_id IS NOT NULL;
CREATE INDEX store_files_unfinished ON store_files (seq) WHERE status = 'in_progress';

-- Which assistants and threads gave a file to the code interpreter; may name some that no longer do.
CREATE TABLE file_holders (
    file_id TEXT NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    holder  TEXT NOT NULL,
    PRIMARY KEY (file_id, holder)
) WITHOUT ROWID;

-- Where deleted objects stood in their lists, for a while: a client that pages while it deletes uses them as cursors.
-- A list is 'files', 'vector_stores', or the id of the store whose files it has.
CREATE TABLE deleted_places (
    list       TEXT NOT NULL,
    id         TEXT NOT NULL,
    seq        INTEGER NOT NULL,
    deleted_at REAL NOT NULL,
    PRIMARY KEY (list, id)
) WITHOUT ROWID;

CREATE INDEX deleted_places_by_age ON deleted_places (deleted_at);

-- Under which name this database keeps contents, so that two databases never take each other's for orphans.
CREATE TABLE contents (
    name TEXT NOT NULL
);

INSERT INTO contents (name) VALUES (lower(hex(randomblob(8))));
