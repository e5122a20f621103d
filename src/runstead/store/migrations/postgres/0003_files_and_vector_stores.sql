-- Files, vector stores, the files in them, and the batches in which those were added. Contents lie elsewhere.

CREATE TABLE files (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         text COLLATE "C" NOT NULL UNIQUE,
    purpose    text COLLATE "C" NOT NULL,
    expires_at bigint,
    body       text NOT NULL
);

CREATE INDEX files_by_purpose ON files (purpose, seq);
CREATE INDEX files_by_expiry ON files (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE vector_stores (
    seq            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id             text COLLATE "C" NOT NULL UNIQUE,
    last_active_at bigint NOT NULL,
    expires_after  bigint,
    body           text NOT NULL
);

CREATE TABLE file_batches (
    id              text COLLATE "C" PRIMARY KEY,
    vector_store_id text COLLATE "C" NOT NULL REFERENCES vector_stores (id) ON DELETE CASCADE,
    created_at      bigint NOT NULL,
    cancelled_at    bigint
);

CREATE INDEX file_batches_by_store ON file_batches (vector_store_id);

-- A row in progress wants to be ingested; who does so holds it by owner, epoch and lease, as a worker holds a run.
CREATE TABLE store_files (
    seq             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    vector_store_id text COLLATE "C" NOT NULL REFERENCES vector_stores (id) ON DELETE CASCADE,
    file_id         text COLLATE "C" NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    batch_id        text COLLATE "C" REFERENCES file_batches (id) ON DELETE SET NULL,
    created_at      bigint NOT NULL,
    status          text COLLATE "C" NOT NULL,
    usage_bytes     bigint NOT NULL DEFAULT 0,
    last_error      text,
    attributes      text NOT NULL,
    chunking        text NOT NULL,
    epoch           bigint NOT NULL DEFAULT 0,
    attempts        bigint NOT NULL DEFAULT 0,
    owner           text COLLATE "C",
    lease_until     double precision,
    UNIQUE (vector_store_id, file_id)
) WITH (fillfactor = 80);

CREATE INDEX store_files_by_store ON store_files (vector_store_id, seq);
CREATE INDEX store_files_by_status ON store_files (vector_store_id, status) INCLUDE (usage_bytes);
CREATE INDEX store_files_by_file ON store_files (file_id);
CREATE INDEX store_files_by_batch ON store_files (batch_id, seq) WHERE batch_id IS NOT NULL;
CREATE INDEX store_files_unfinished ON store_files (seq) WHERE status = 'in_progress';

-- Which assistants and threads gave a file to the code interpreter; may name some that no longer do.
CREATE TABLE file_holders (
    file_id text COLLATE "C" NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    holder  text COLLATE "C" NOT NULL,
    PRIMARY KEY (file_id, holder)
);

-- Where deleted objects stood in their lists, for a while: a client that pages while it deletes uses them as cursors.
-- A list is 'files', 'vector_stores', or the id of the store whose files it has.
CREATE TABLE deleted_places (
    list       text COLLATE "C" NOT NULL,
    id         text COLLATE "C" NOT NULL,
    seq        bigint NOT NULL,
    deleted_at double precision NOT NULL,
    PRIMARY KEY (list, id)
);

CREATE INDEX deleted_places_by_age ON deleted_places (deleted_at);

-- Under which name this database keeps contents, so that two databases never take each other's for orphans.
CREATE TABLE contents (
    name text NOT NULL
);

INSERT INTO contents (name) VALUES (left(replace(gen_random_uuid()::text, '-', ''), 16));
