"""A session's originals on this machine: one folder a session, that is shown inside and can only be read there.

Other users of the machine cannot look into it; where each session has a user of its own, that one can, by its group.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

from runstead.sandbox.box import NoBox

KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")


def make(folder: Path, group: int | None) -> Path:
    """The folders of a new session; the one that is shown inside."""
    originals = folder / "originals"
    for path, mode in ((folder, 0o711), (originals, 0o750)):
        path.mkdir()
        path.chmod(mode)  # whatever the umask says
    if group is not None:
        os.chown(originals, -1, group)
    return originals


async def stage(folder: Path, key: str, contents: AsyncIterator[bytes]) -> None:
    """Write a file under its key, whole or not at all. A copy, since a wall with a hole must not lead to the stored one."""
    if KEY.fullmatch(key) is None:
        raise NoBox(f"{key[:40]!r} cannot be the name of a file")
    # Beside the folder that is shown, so that what is shown is whole.
    unfinished = folder.parent / f"{key}.unfinished"
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            async for block in contents:
                await asyncio.to_thread(_write, descriptor, block)
            os.fchown(descriptor, -1, (await asyncio.to_thread(folder.stat)).st_gid)
            os.fchmod(descriptor, 0o440)
        finally:
            os.close(descriptor)
        unfinished.replace(folder / key)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise NoBox(f"a file cannot be laid out for the code: {error.strerror}") from error


def _write(descriptor: int, block: bytes) -> None:
    left = memoryview(block)
    while left:
        left = left[os.write(descriptor, left) :]
