"""Every statement by name, with `:name` parameters; what is decided with its outcome is not in here.

They are written as SQLite reads them; `postgres_dialect` says what PostgreSQL spells differently.

Lists: the bounds of a page are always given, open ends as the extremes of `seq`, so that a list needs one
statement per direction and not one per combination of cursors.
"""

from typing import Final

from msgspec import Struct

# Spelled once and alike everywhere: a partial index serves only a statement that repeats its condition.
ACTIVE: Final = "status IN ('queued', 'in_progress', 'requires_action', 'cancelling')"
LEASED: Final = "status IN ('in_progress', 'cancelling')"
UNDER_WAY: Final = "status IN ('queued', 'in_progress', 'cancelling')"

RUN: Final = "metadata, body, epoch, owner, lease_until, deadline, extra"
STEP: Final = "body, extra"


class Listing(Struct, frozen=True):
    """The statements of one list: where a cursor stands in it, and a page in each direction."""

    cursor: str
    asc: str
    desc: str


def listing(
    table: str, columns: str, scope: str, narrowed: str = "TRUE", deleted: str = "", *, id: str = "id", among: str = ""
) -> Listing:
    """`narrowed` thins out what is shown, not what may be a cursor; `id` is the column that cursors name.

    An object that a filter no longer lets through still has its place in the order, and a client that pages
    while metadata changes must not be refused. Nor one that deletes what it was shown: `deleted` is the table
    of places that are remembered, and `among` what tells this list's from others', if not the scope does.
    """
    places = [f"SELECT seq FROM {table} WHERE {id} = :id AND {scope}"]  # noqa: S608
    if deleted:
        places.append(f"SELECT seq FROM {deleted} WHERE id = :id AND {among or scope}")  # noqa: S608
    page = f"SELECT {columns} FROM {table} WHERE {scope} AND {narrowed} AND seq > :above AND seq < :below"  # noqa: S608
    return Listing(
        cursor=" UNION ALL ".join(places),
        asc=f"{page} ORDER BY seq ASC LIMIT :limit",
        desc=f"{page} ORDER BY seq DESC LIMIT :limit",
    )


def forgetting(deleted: str) -> str:
    """Not all that is due at once: after a quiet time a single deletion would pay for thousands."""
    return f"""
DELETE FROM {deleted} WHERE id IN (
    SELECT id FROM {deleted} WHERE deleted_at < :forgotten_before ORDER BY deleted_at LIMIT 8)
"""  # noqa: S608


# Assistants

INSERT_ASSISTANT: Final = "INSERT INTO assistants (id, body) VALUES (:id, :body)"
GET_ASSISTANT: Final = "SELECT body FROM assistants WHERE id = :id"
REPLACE_ASSISTANT: Final = "UPDATE assistants SET body = :body WHERE id = :id"
DELETE_ASSISTANT: Final = "DELETE FROM assistants WHERE id = :id"
# Two who delete the same at once: the second meets no row and is refused, not the unique id.
REMEMBER_ASSISTANT: Final = """
INSERT INTO deleted_assistants (id, seq, deleted_at) SELECT id, seq, :deleted_at FROM assistants WHERE id = :id
ON CONFLICT (id) DO NOTHING
"""
FORGET_ASSISTANTS: Final = forgetting("deleted_assistants")
ASSISTANTS: Final = listing("assistants", "body", "TRUE", deleted="deleted_assistants")

# Threads

INSERT_THREAD: Final = "INSERT INTO threads (id, body) VALUES (:id, :body)"
GET_THREAD: Final = "SELECT body FROM threads WHERE id = :id"
REPLACE_THREAD: Final = "UPDATE threads SET body = :body WHERE id = :id"
DELETE_THREAD: Final = "DELETE FROM threads WHERE id = :id"
THREADS: Final = listing("threads", "body", "TRUE")
# The wanted pairs come as one JSON object, so that a key may hold any character.
THREADS_WITH_METADATA: Final = listing(
    "threads",
    "body",
    "TRUE",
    """NOT EXISTS (
        SELECT 1 FROM json_each(:metadata) AS wanted WHERE NOT EXISTS (
            SELECT 1 FROM json_each(CAST(threads.body AS TEXT), '$.metadata') AS held
             WHERE held.key = wanted.key AND held.value = wanted.value))""",
)

# Messages

INSERT_MESSAGE: Final = "INSERT INTO messages (id, thread_id, run_id, body) VALUES (:id, :thread_id, :run_id, :body)"
GET_MESSAGE: Final = "SELECT body FROM messages WHERE id = :id AND thread_id = :thread_id"
REPLACE_MESSAGE: Final = "UPDATE messages SET run_id = :run_id, body = :body WHERE id = :id AND thread_id = :thread_id"
DELETE_MESSAGE: Final = "DELETE FROM messages WHERE id = :id AND thread_id = :thread_id"
REMEMBER_MESSAGE: Final = """
INSERT INTO deleted_messages (id, thread_id, seq, deleted_at)
SELECT id, thread_id, seq, :deleted_at FROM messages WHERE id = :id AND thread_id = :thread_id
ON CONFLICT (id) DO NOTHING
"""
FORGET_MESSAGES: Final = forgetting("deleted_messages")
MESSAGES: Final = listing("messages", "body", "thread_id = :thread_id", deleted="deleted_messages")
MESSAGES_OF_RUN: Final = listing(
    "messages", "body", "thread_id = :thread_id", "run_id = :run_id", deleted="deleted_messages"
)
NEWEST_MESSAGES: Final = "SELECT seq, body FROM messages WHERE thread_id = :thread_id ORDER BY seq DESC"
COUNT_OLDER_MESSAGES: Final = "SELECT count(*) FROM messages WHERE thread_id = :thread_id AND seq < :seq"

# Runs

INSERT_RUN: Final = """
INSERT INTO runs (id, thread_id, status, epoch, owner, lease_until, deadline, queued_since, metadata, body, extra)
VALUES (:id, :thread_id, :status, :epoch, :owner, :lease_until, :deadline,
        CASE WHEN :status = 'queued' THEN :now END, :metadata, :body, :extra)
"""
# The fence of every driver's write is in the statement itself, and metadata is not in it. A driver does not know how
# often its lease was renewed since it read the run, so what it keeps it cannot shorten. It becomes a hair longer, so
# that whoever judged the run as it was before meets a lease that he has not read.
REPLACE_RUN: Final = """
UPDATE runs
   SET status = :status, epoch = :epoch, owner = :owner, deadline = :deadline,
       lease_until = CASE WHEN owner = :owner AND lease_until >= :lease_until THEN lease_until + 0.000001
                          ELSE :lease_until END,
       queued_since = CASE WHEN :status <> 'queued' THEN NULL
                           WHEN status = 'queued' THEN queued_since
                           ELSE :now END,
       body = :body, extra = :extra
 WHERE id = :id AND status = :was_status AND epoch = :was_epoch AND owner IS :was_owner
"""
TAKE_RUN: Final = f"{REPLACE_RUN} AND lease_until IS :was_lease_until"
SET_RUN_METADATA: Final = "UPDATE runs SET metadata = :metadata WHERE id = :id AND thread_id = :thread_id"
GET_RUN: Final = f"SELECT {RUN} FROM runs WHERE id = :id AND thread_id = :thread_id"  # noqa: S608
FIND_RUN: Final = f"SELECT {RUN} FROM runs WHERE id = :id"  # noqa: S608
RUNS_UNDER_WAY: Final = f"SELECT id FROM runs WHERE id IN (SELECT value FROM json_each(:ids)) AND {UNDER_WAY}"  # noqa: S608
FIND_ACTIVE_RUN: Final = f"SELECT {RUN} FROM runs WHERE thread_id = :thread_id AND {ACTIVE}"  # noqa: S608
FIND_ACTIVE_RUN_ID: Final = f"SELECT id FROM runs WHERE thread_id = :thread_id AND {ACTIVE}"  # noqa: S608
RUNS: Final = listing("runs", "metadata, body", "thread_id = :thread_id")
# A renewal that was held up on its way must not shorten what a later one has prolonged.
PROLONGED: Final = "CASE WHEN lease_until > :lease_until THEN lease_until ELSE :lease_until END"
RENEW_LEASES: Final = f"UPDATE runs SET lease_until = {PROLONGED} WHERE owner = :owner AND {LEASED}"  # noqa: S608
LIST_LEASES: Final = f"SELECT id, epoch, status FROM runs WHERE owner = :owner AND {LEASED}"  # noqa: S608
DUE_RUNS: Final = f"""
SELECT {RUN} FROM runs WHERE seq IN (
    SELECT seq FROM runs WHERE status = 'queued' AND queued_since < :waiting_since
    UNION
    SELECT seq FROM runs WHERE {LEASED} AND lease_until < :now
    UNION
    SELECT seq FROM runs WHERE {ACTIVE} AND deadline <= :now AND (lease_until IS NULL OR lease_until < :now)
) ORDER BY seq LIMIT :limit
"""  # noqa: S608
NEXT_DEADLINE: Final = f"SELECT min(deadline) FROM runs WHERE {ACTIVE}"  # noqa: S608

# Code sessions

# The fence is the run's: whoever holds it is the only one who has any business with its thread's session.
TAKE_CODE_SESSION: Final = """
INSERT INTO code_sessions (thread_id, owner, generation, lease_until)
SELECT thread_id, owner, 1, :lease_until FROM runs
 WHERE id = :run_id AND thread_id = :thread_id AND owner = :owner AND epoch = :epoch
ON CONFLICT (thread_id) DO UPDATE
   SET owner = excluded.owner, generation = code_sessions.generation + 1, lease_until = excluded.lease_until
"""
LET_GO_OF_CODE_SESSION: Final = """
UPDATE code_sessions SET owner = NULL, lease_until = NULL
 WHERE thread_id = :thread_id AND owner = :owner AND generation = :generation
"""
FIND_CODE_SESSIONS: Final = """
SELECT thread_id, owner, generation, lease_until FROM code_sessions
 WHERE thread_id IN (SELECT value FROM json_each(:ids))
"""
RENEW_CODE_SESSIONS: Final = f"UPDATE code_sessions SET lease_until = {PROLONGED} WHERE owner = :owner"  # noqa: S608
LIST_CODE_SESSIONS: Final = "SELECT thread_id, generation FROM code_sessions WHERE owner = :owner"

# Keyed requests

REMEMBER_REQUEST: Final = """
INSERT INTO keyed_requests (key, fingerprint, place, expires_at) VALUES (:key, :fingerprint, :place, :expires_at)
"""
FORGET_REQUESTS: Final = "DELETE FROM keyed_requests WHERE expires_at <= :at"
FIND_REQUEST: Final = "SELECT fingerprint, place FROM keyed_requests WHERE key = :key AND expires_at > :at"

# Run steps

INSERT_STEP: Final = """
INSERT INTO run_steps (id, run_id, thread_id, type, status, body, extra)
VALUES (:id, :run_id, :thread_id, :type, :status, :body, :extra)
"""
REPLACE_STEP: Final = """
UPDATE run_steps SET type = :type, status = :status, body = :body, extra = :extra
 WHERE id = :id AND run_id = :run_id AND status = :was_status
"""
GET_STEP_EXTRA: Final = "SELECT extra FROM run_steps WHERE id = :id AND run_id = :run_id AND status = :was_status"
GET_STEP: Final = "SELECT body FROM run_steps WHERE id = :id AND run_id = :run_id AND thread_id = :thread_id"
STEPS: Final = listing("run_steps", "body", "run_id = :run_id")
LIST_STEPS: Final = f"SELECT {STEP} FROM run_steps WHERE run_id = :run_id ORDER BY seq"  # noqa: S608
NEWEST_EARLIER_STEPS: Final = """
SELECT seq, body, extra FROM run_steps
 WHERE seq IN (
         SELECT seq FROM run_steps
          WHERE run_id IN (
                  SELECT run_id FROM run_steps
                   WHERE thread_id = :thread_id AND type = 'tool_calls' AND status = 'completed'
                     AND run_id <> :run_id)
            AND (type = 'message_creation' OR status = 'completed'))
 ORDER BY seq DESC
"""
