-- Where deleted objects stood in their lists, for a while: a client that pages while it deletes uses them as cursors.

CREATE TABLE deleted_assistants (
    id         text COLLATE "C" PRIMARY KEY,
    seq        bigint NOT NULL,
    deleted_at double precision NOT NULL
);

CREATE INDEX deleted_assistants_by_age ON deleted_assistants (deleted_at);

CREATE TABLE deleted_messages (
    id         text COLLATE "C" PRIMARY KEY,
    thread_id  text COLLATE "C" NOT NULL,
    seq        bigint NOT NULL,
    deleted_at double precision NOT NULL
);

CREATE INDEX deleted_messages_by_age ON deleted_messages (deleted_at);
