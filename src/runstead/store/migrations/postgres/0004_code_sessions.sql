-- On which node the code session of a thread is. A row stays when its session has ended: generations only rise.

CREATE TABLE code_sessions (
    thread_id   text COLLATE "C" PRIMARY KEY REFERENCES threads (id) ON DELETE CASCADE,
    owner       text COLLATE "C",
    generation  bigint NOT NULL,
    lease_until double precision
) WITH (fillfactor = 80);

CREATE INDEX code_sessions_by_owner ON code_sessions (owner) WHERE owner IS NOT NULL;
