"""The child process lives no longer than its parent, however the parent dies, and holds nothing of it."""

import os
import select
import subprocess
import sys

import pytest

PARENT = """
import subprocess, sys, os
child = subprocess.Popen([sys.executable, "-c", {child!r}, str(os.getpid())], stdin=subprocess.PIPE)
print(child.pid, flush=True)
{then}
"""
# The real death watch, without the weights.
CHILD = """
import sys
from runstead.tether import die_with
die_with(int(sys.argv[1]))
print("watching", flush=True)
import threading
threading.Event().wait()
"""


def test_it_dies_with_its_parent():
    program = PARENT.format(child=CHILD, then="sys.stdin.readline(); os.kill(os.getpid(), 9)")
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        said = {parent.stdout.readline().strip() for _ in range(2)}
        assert "watching" in said

        parent.stdin.write("\n")
        parent.stdin.flush()

        # The child holds the same pipe: it ends only with both.
        assert parent.stdout.read() == ""


@pytest.mark.parametrize("parent", ["1", "999999999"])
def test_an_orphan_does_not_begin(parent):
    done = subprocess.run([sys.executable, "-c", CHILD, parent], capture_output=True, check=False, timeout=30)

    assert done.returncode == 1
    assert done.stdout == b""


def test_what_it_inherits_it_lets_go():
    ours, inherited = os.pipe()
    command = [sys.executable, "-m", "runstead.model.embedded_server", str(os.getpid())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=(inherited,)) as child:
        try:
            os.close(inherited)

            has_ended, _, _ = select.select([ours], [], [], 20)

            assert has_ended
            assert child.poll() is None
        finally:
            child.kill()
            os.close(ours)
