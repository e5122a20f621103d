"""What a run's driver needs, read by one statement so that no commit falls between its parts."""

from collections.abc import Sequence
from typing import Any, Final

from runstead.ports import Snapshot
from runstead.store import rows, statements

_THREAD = "(SELECT thread_id FROM the_run)"


def _fitting(newest: str, columns: str = "body") -> str:
    """As many of (seq, body, …), newest first, as fit; at least one; and how many there are."""
    return f"""
SELECT seq, {columns}, all_of_them FROM (
    SELECT seq, {columns}, count(*) OVER () AS all_of_them, row_number() OVER newest_first AS place,
           sum(octet_length(body)) OVER newest_first AS bytes
      FROM ({newest}) AS found
    WINDOW newest_first AS (ORDER BY seq DESC)
) AS measured WHERE place = 1 OR bytes <= :max_bytes
"""  # noqa: S608


# Parts: 0 the run, 1 its steps, 2 messages, 3 earlier steps. Each part has its columns, the others are NULL there.
READ_SNAPSHOT: Final = f"""
WITH the_run AS MATERIALIZED (SELECT thread_id, {statements.RUN} FROM runs WHERE id = :run_id)
SELECT 0 AS part, 0::bigint AS seq, metadata, body, epoch, owner, lease_until, deadline, extra, 0::bigint AS all_of_them
  FROM the_run
UNION ALL
SELECT 1, seq, NULL, body, NULL, NULL, NULL, NULL, extra, NULL FROM run_steps WHERE run_id = :run_id
UNION ALL
SELECT 2, seq, NULL, body, NULL, NULL, NULL, NULL, NULL, all_of_them
  FROM ({_fitting(statements.NEWEST_MESSAGES.replace(":thread_id", _THREAD))}) AS messages
UNION ALL
SELECT 3, seq, NULL, body, NULL, NULL, NULL, NULL, extra, all_of_them
  FROM ({_fitting(statements.NEWEST_EARLIER_STEPS.replace(":thread_id", _THREAD), statements.STEP)}) AS earlier
 ORDER BY part, seq
"""  # noqa: S608


def snapshot_of(found: Sequence[Sequence[Any]]) -> Snapshot | None:
    """The rows of READ_SNAPSHOT as what they stand for."""
    if not found or found[0][0] != 0:
        return None
    messages = [row for row in found if row[0] == 2]
    return Snapshot(
        record=rows.run_record_of(found[0][2:9]),
        steps=[rows.step_record_of((row[3], row[8])) for row in found if row[0] == 1],
        messages=[rows.decode_message(row[3]) for row in messages],
        older=messages[0][9] - len(messages) if messages else 0,
        earlier_steps=[rows.step_record_of((row[3], row[8])) for row in found if row[0] == 3],
    )
