-- Where deleted objects stood in their lists, for a while: a client that pages while it deletes uses them as cursors.

CREATE TABLE deleted_assistants (
    id         TEXT PRIMARY KEY,
    seq        INTEGER NOT NULL,
    deleted_at REAL NOT NULL
) WITHOUT ROWID;

CREATE INDEX deleted_assistants_by_age ON deleted_assistants (deleted_at);
CREATE INDEX deleted_assistants_by_seq ON deleted_assistants (seq);

CREATE TABLE deleted_messages (
    id         TEXT PRIMARY KEY,
    thread_id  TEXT NOT NULL,
    seq        INTEGER NOT NULL,
    deleted_at REAL NOT NULL
) WITHOUT ROWID;

CREATE INDEX deleted_messages_by_age ON deleted_messages (deleted_at);
CREATE INDEX deleted_messages_by_seq ON deleted_messages (seq);

-- SQLite gives the place of the newest object away again once that is deleted. While it is remembered nobody else
-- may have it, or a client that goes on after it would miss the one that came later.

CREATE TRIGGER assistants_after_deleted AFTER INSERT ON assistants
WHEN NEW.seq <= (SELECT max(seq) FROM deleted_assistants)
BEGIN
    UPDATE assistants SET seq = (SELECT max(seq) FROM deleted_assistants) + 1 WHERE seq = NEW.seq;
END;

CREATE TRIGGER messages_after_deleted AFTER INSERT ON messages
WHEN NEW.seq <= (SELECT max(seq) FROM deleted_messages)
BEGIN
    UPDATE messages SET seq = (SELECT max(seq) FROM deleted_messages) + 1 WHERE seq = NEW.seq;
END;
