"""Ties a child process to its parent's life, however the parent dies.

`python -m runstead.tether PARENT COMMAND...` becomes the command, tied to the process with the id PARENT.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    die_with(parent=int(sys.argv[1]))
    # The tie outlasts this.
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - our parent's own arguments


def die_with(parent: int) -> None:
    """Be killed when the parent's thread that started us ends; only Linux can. An orphan ends at once."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # It may have died before the line above.
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    main()
