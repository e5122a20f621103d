import os
import subprocess
import sys
from pathlib import Path

import pytest

from runstead.store.errors import DatabaseInUse
from runstead.store.lock import DataDirLock

HOLDER = """
import sys
from pathlib import Path
from runstead.store.lock import DataDirLock
DataDirLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_server_is_told_who_serves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    first, second = DataDirLock(path), DataDirLock(path)
    first.acquire()

    with pytest.raises(DatabaseInUse, match=rf"process {os.getpid()}\) already serves it"):
        second.acquire()

    first.release()
    second.acquire()
    second.release()


def test_a_lock_is_free_when_its_holder_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(DatabaseInUse, match=str(holder.pid)):
            DataDirLock(path).acquire()
        holder.kill()

    lock = DataDirLock(path)
    lock.acquire()
    lock.release()


def test_releasing_what_is_not_held_is_harmless(tmp_path: Path) -> None:
    DataDirLock(tmp_path / "a.db").release()


def test_databases_side_by_side_have_locks_of_their_own(tmp_path: Path) -> None:
    one, other = DataDirLock(tmp_path / "a.db"), DataDirLock(tmp_path / "b.db")
    one.acquire()
    other.acquire()

    one.release()
    other.release()
