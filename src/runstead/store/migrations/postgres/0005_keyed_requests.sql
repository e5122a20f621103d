-- What the keys of clients' requests were used for, so that a request sent twice has one effect.

CREATE TABLE keyed_requests (
    key         text COLLATE "C" PRIMARY KEY,
    fingerprint text NOT NULL,
    place       text NOT NULL,
    expires_at  bigint NOT NULL
);

CREATE INDEX keyed_requests_by_end ON keyed_requests (expires_at);
