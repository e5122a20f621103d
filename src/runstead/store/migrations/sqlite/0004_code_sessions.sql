-- On which node the code session of a thread is. A row stays when its session has ended: generations only rise.

CREATE TABLE code_sessions (
    thread_id   TEXT PRIMARY KEY REFERENCES threads (id) ON DELETE CASCADE,
    owner       TEXT,
    generation  INTEGER NOT NULL,
    lease_until REAL
) WITHOUT ROWID;

CREATE INDEX code_sessions_by_owner ON code_sessions (owner) WHERE owner IS NOT NULL;
