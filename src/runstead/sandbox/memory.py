"""How much memory is free on this machine, for those who are about to use a lot."""

from pathlib import Path

ROOM_FOR_ONE = 1331 * 2**20
"""Bytes that a session may come to, folders included, if it takes what an average heavy one takes."""
MOST_SESSIONS = 64


def free_memory(path: Path = Path("/proc/meminfo")) -> int:
    """Bytes that can be had without swapping; plenty where the system does not say."""
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 2**40


def sessions_that_fit(free: int) -> int:
    """How many sessions at once a machine with so much free memory should have."""
    return max(1, min(MOST_SESSIONS, free // ROOM_FOR_ONE))
