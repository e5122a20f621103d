"""What was acknowledged is there after the process was killed. One file-backed adapter at a time can promise this."""

import subprocess
import sys
from itertools import islice
from pathlib import Path

from runstead.store.sqlite import SqliteStore
from runstead.wire.base import MessageId, ThreadId
from tests.contract.samples import SetClock

PROGRAM = Path(__file__).with_name("acknowledging_writer.py")


def acknowledged_until_killed(path: Path) -> list[str]:
    with subprocess.Popen([sys.executable, PROGRAM, path], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        lines = list(islice(program.stdout, 200))
        program.kill()
        # What it said between our last look and its death counts as well; a torn last line does not.
        lines += [line for line in program.stdout if line.endswith("\n")]
    return [line.strip() for line in lines]


async def test_sqlite_keeps_what_it_acknowledged_through_a_kill(tmp_path: Path, clock: SetClock) -> None:
    path = tmp_path / "runstead.db"
    acknowledged = acknowledged_until_killed(path)
    assert len(acknowledged) >= 200

    store = await SqliteStore.open_file(path, clock)
    for name in acknowledged:
        assert await store.get_message(ThreadId(f"thread_{name}"), MessageId(f"msg_{name}"))
    await store.close()
