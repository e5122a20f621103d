-- What the keys of clients' requests were used for, so that a request sent twice has one effect.

CREATE TABLE keyed_requests (
    key         TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    place       TEXT NOT NULL,
    expires_at  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX keyed_requests_by_end ON keyed_requests (expires_at);
