-- `seq` is the order of creation and with it the order of every list: equal timestamps never move.
-- `body` is the API's object as JSON; a column beside it is what a statement has to judge or find by.

CREATE TABLE assistants (
    seq  INTEGER PRIMARY KEY,
    id   TEXT NOT NULL UNIQUE,
    body BLOB NOT NULL
);

CREATE TABLE threads (
    seq  INTEGER PRIMARY KEY,
    id   TEXT NOT NULL UNIQUE,
    body BLOB NOT NULL
);

CREATE TABLE messages (
    seq       INTEGER PRIMARY KEY,
    id        TEXT NOT NULL UNIQUE,
    thread_id TEXT NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
    run_id    TEXT,
    body      BLOB NOT NULL
);

CREATE INDEX messages_by_thread ON messages (thread_id, seq);
CREATE INDEX messages_by_run ON messages (run_id, seq) WHERE run_id IS NOT NULL;

CREATE TABLE runs (
    seq          INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    thread_id    TEXT NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
    status       TEXT NOT NULL,
    epoch        INTEGER NOT NULL,
    owner        TEXT,
    lease_until  REAL,
    deadline     INTEGER NOT NULL,
    queued_since REAL,
    metadata     BLOB NOT NULL,
    body         BLOB NOT NULL,
    extra        BLOB NOT NULL
);

CREATE INDEX runs_by_thread ON runs (thread_id, seq);

-- The thread's lock. An index, because a check before the insert would have to be right in every caller.
CREATE UNIQUE INDEX one_active_run ON runs (thread_id)
    WHERE status IN ('queued', 'in_progress', 'requires_action', 'cancelling');

-- What the reconciler asks for every second. Ended runs are in none of these, so they stay small.
CREATE INDEX runs_waiting ON runs (queued_since) WHERE status = 'queued';
CREATE INDEX runs_leased ON runs (owner, lease_until) WHERE status IN ('in_progress', 'cancelling');
CREATE INDEX runs_by_deadline ON runs (deadline)
    WHERE status IN ('queued', 'in_progress', 'requires_action', 'cancelling');

CREATE TABLE run_steps (
    seq       INTEGER PRIMARY KEY,
    id        TEXT NOT NULL UNIQUE,
    run_id    TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    thread_id TEXT NOT NULL,
    type      TEXT NOT NULL,
    status    TEXT NOT NULL,
    body      BLOB NOT NULL,
    extra     BLOB NOT NULL
);

CREATE INDEX run_steps_by_run ON run_steps (run_id, seq);

-- What a later run in the thread is told of earlier calls.
CREATE INDEX completed_tool_calls ON run_steps (thread_id, seq) WHERE type = 'tool_calls' AND status = 'completed';
