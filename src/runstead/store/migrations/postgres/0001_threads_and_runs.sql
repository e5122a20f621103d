-- `seq` is the order of creation and with it the order of every list: equal timestamps never move.
-- `body` is the API's object as JSON, kept as text so that it reads back letter by letter; a column beside it is
-- what a statement has to judge or find by. Ids are compared byte by byte, whatever the database's collation.

CREATE TABLE assistants (
    seq  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id   text COLLATE "C" NOT NULL UNIQUE,
    body text NOT NULL
);

CREATE TABLE threads (
    seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id       text COLLATE "C" NOT NULL UNIQUE,
    body     text NOT NULL,
    metadata jsonb GENERATED ALWAYS AS (body::jsonb -> 'metadata') STORED
);

CREATE INDEX threads_by_metadata ON threads USING gin (metadata jsonb_path_ops);

CREATE TABLE messages (
    seq       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id        text COLLATE "C" NOT NULL UNIQUE,
    thread_id text COLLATE "C" NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
    run_id    text COLLATE "C",
    body      text NOT NULL
);

CREATE INDEX messages_by_thread ON messages (thread_id, seq);
CREATE INDEX messages_by_run ON messages (run_id, seq) WHERE run_id IS NOT NULL;

-- Its rows are rewritten a few times and then rest: room on the page keeps the rewritten ones beside the old.
CREATE TABLE runs (
    seq          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           text COLLATE "C" NOT NULL UNIQUE,
    thread_id    text COLLATE "C" NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
    status       text COLLATE "C" NOT NULL,
    epoch        bigint NOT NULL,
    owner        text COLLATE "C",
    lease_until  double precision,
    deadline     double precision NOT NULL,
    queued_since double precision,
    metadata     text NOT NULL,
    body         text NOT NULL,
    extra        text NOT NULL
) WITH (fillfactor = 80);

CREATE INDEX runs_by_thread ON runs (thread_id, seq);

-- The thread's lock. An index, because a check before the insert would have to be right in every caller.
CREATE UNIQUE INDEX one_active_run ON runs (thread_id)
    WHERE status IN ('queued', 'in_progress', 'requires_action', 'cancelling');

-- What the reconciler asks for every second. Ended runs are in none of these, so they stay small.
CREATE INDEX runs_waiting ON runs (queued_since) WHERE status = 'queued';
-- Not by lease_until: every renewal would write the index anew.
CREATE INDEX runs_leased ON runs (owner) WHERE status IN ('in_progress', 'cancelling');
CREATE INDEX runs_by_deadline ON runs (deadline)
    WHERE status IN ('queued', 'in_progress', 'requires_action', 'cancelling');

CREATE TABLE run_steps (
    seq       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id        text COLLATE "C" NOT NULL UNIQUE,
    run_id    text COLLATE "C" NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    thread_id text COLLATE "C" NOT NULL,
    type      text COLLATE "C" NOT NULL,
    status    text COLLATE "C" NOT NULL,
    body      text NOT NULL,
    extra     text NOT NULL
);

CREATE INDEX run_steps_by_run ON run_steps (run_id, seq);

-- What a later run in the thread is told of earlier calls.
CREATE INDEX completed_tool_calls ON run_steps (thread_id, seq) WHERE type = 'tool_calls' AND status = 'completed';

-- One row for each server that writes: what became of its last group of changes, in the same commit as the group.
-- `term` rises whenever a server takes up writing anew, which shuts out a group it sent before and never heard of.
CREATE TABLE writers (
    id       text COLLATE "C" PRIMARY KEY,
    term     bigint NOT NULL,
    number   bigint NOT NULL DEFAULT 0,
    outcomes text[] NOT NULL DEFAULT '{}',
    seen_at  timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 20);

-- Carries out a group of changes in one call, each whole or not at all; the call's own commit makes them durable.
-- The statements come from the program: this knows only how they are to be judged. `kinds` has a letter for each:
--   a  ask: the change is refused if the statement finds an id
--   i  insert: refused if a constraint is violated
--   t  touch: refused if the statement meets no row
-- An outcome is NULL for a change that was carried out, else 'STEP CODE DETAIL', steps counted from 0 within the
-- group. `database_now` lets the caller's clock follow ours.
CREATE FUNCTION apply_changes(
    writer_id text,
    writer_term bigint,
    group_number bigint,
    thread_ids text[],
    run_ids text[],
    sizes int[],
    kinds text,
    statements text[],
    arities int[],
    arguments text[],
    OUT outcomes text[],
    OUT database_now double precision
) LANGUAGE plpgsql AS $$
DECLARE
    step int := 0;
    argument int := 0;
    last_step int := 0;
    first_argument int;
    touched bigint;
    found_id text;
    state text;
    violated text;
BEGIN
    -- First, so that whoever asks for our outcome waits until there is one.
    PERFORM 1 FROM writers WHERE id = writer_id AND term = writer_term FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'writer % has begun anew', writer_id USING ERRCODE = 'RS001';
    END IF;
    -- All locks before all work and always in one order, so that groups wait for each other but never in a circle.
    PERFORM 1 FROM threads WHERE id = ANY (thread_ids) ORDER BY id FOR NO KEY UPDATE;
    PERFORM 1 FROM runs WHERE id = ANY (run_ids) ORDER BY id FOR NO KEY UPDATE;
    outcomes := array_fill(NULL::text, ARRAY[cardinality(sizes)]);
    FOR change IN 1 .. cardinality(sizes) LOOP
        first_argument := argument;
        last_step := last_step + sizes[change];
        BEGIN
            WHILE step < last_step LOOP
                step := step + 1;
                IF substr(kinds, step, 1) = 'a' THEN
                    EXECUTE statements[step] INTO found_id USING arguments[argument + 1 : argument + arities[step]];
                    IF found_id IS NOT NULL THEN
                        RAISE EXCEPTION '%', found_id USING ERRCODE = 'RS002';
                    END IF;
                ELSE
                    EXECUTE statements[step] USING arguments[argument + 1 : argument + arities[step]];
                    GET DIAGNOSTICS touched = ROW_COUNT;
                    IF touched = 0 THEN
                        RAISE EXCEPTION 'no row' USING ERRCODE = 'RS003';
                    END IF;
                END IF;
                argument := argument + arities[step];
            END LOOP;
        EXCEPTION WHEN OTHERS THEN
            -- What this change is at fault for; anything else is about the server and ends the whole group.
            IF left(SQLSTATE, 2) NOT IN ('RS', '22', '23', '54') THEN
                RAISE;
            END IF;
            outcomes[change] := (step - 1) || ' ' || SQLSTATE || ' ' || SQLERRM;
            argument := first_argument;
            FOR skipped IN last_step - sizes[change] + 1 .. last_step LOOP
                argument := argument + arities[skipped];
            END LOOP;
            step := last_step;
        END;
    END LOOP;
    UPDATE writers SET number = group_number, outcomes = apply_changes.outcomes, seen_at = now()
     WHERE id = writer_id;
    database_now := extract(epoch FROM clock_timestamp());
END
$$;
