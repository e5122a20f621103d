"""The files of a session: those it is given, and those that code has made or changed."""

from __future__ import annotations

import os
import stat

from .channel import CHUNK

TYPE_CHECKING = False
if TYPE_CHECKING:
    # At run time it would cost a tenth of the start.
    from collections.abc import Iterator
    from typing import Any, BinaryIO

    from .channel import Channel

DATA = "/mnt/data"
ORIGINALS = "/mnt/originals"
MOST_ENTRIES = 20_000
DEEPEST = 8


class Files:
    """Which files of /mnt/data the server knows."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._known: dict[str, tuple[int, ...]] = {}
        self._links: dict[str, str] = {}
        self._open: BinaryIO | None = None

    def link(self, links: list[list[str]]) -> None:
        """Put originals in place under their names; names that lead elsewhere now are moved."""
        for name, key in links:
            path, target = DATA + "/" + name, ORIGINALS + "/" + key
            if self._links.get(name) == target:
                continue
            if os.path.islink(path):
                os.unlink(path)
            if not os.path.lexists(path):
                os.symlink(target, path)
            self._links[name] = target

    def put(self, name: str, data: bytes, last: bool) -> None:
        """Write a piece of a file that an earlier session had made."""
        if self._open is None:
            path = DATA + "/" + name
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if os.path.lexists(path):
                os.unlink(path)
            self._open = open(path, "wb")
        self._open.write(data)
        if last:
            self._open.close()
            self._open = None
            self._known[name] = self._state(os.lstat(DATA + "/" + name))

    def send_changed(self, call: str, limits: dict[str, Any]) -> None:
        """Hand over what is new or changed, the oldest first, and name what cannot be kept."""
        found = sorted(self._changed(), key=lambda one: (one[1].st_mtime_ns, one[0]))
        left = limits["disk"]
        for number, (name, status) in enumerate(found):
            self._known[name] = self._state(status)
            try:
                name.encode("utf-8")
            except UnicodeEncodeError:
                self._refuse(call, os.fsencode(name).decode("utf-8", "replace"), "name")
                continue
            if not stat.S_ISREG(status.st_mode):
                self._refuse(call, name, "kind")
            elif number >= limits["files"]:
                self._refuse(call, name, "count")
            elif status.st_size > left:
                self._refuse(call, name, "size")
            else:
                left -= self._send(call, name, left)

    def _changed(self) -> Iterator[tuple[str, os.stat_result]]:
        seen, waiting = 0, [("", 0)]
        while waiting:
            folder, depth = waiting.pop()
            try:
                entries = list(os.scandir(DATA + "/" + folder))
            except OSError:
                continue
            for entry in entries:
                seen += 1
                if seen > MOST_ENTRIES:
                    return
                name = folder + entry.name
                # Hidden files are what libraries keep for themselves.
                if entry.name.startswith("."):
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISLNK(status.st_mode) and os.readlink(entry.path).startswith(ORIGINALS + "/"):
                        continue
                except OSError:
                    continue
                if stat.S_ISDIR(status.st_mode):
                    if depth < DEEPEST:
                        waiting.append((name + "/", depth + 1))
                elif self._known.get(name) != self._state(status):
                    yield name, status

    def _send(self, call: str, name: str, most: int) -> int:
        try:
            descriptor = os.open(DATA + "/" + name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            self._refuse(call, name, "kind")
            return 0
        sent = 0
        with open(descriptor, "rb", buffering=0) as file:
            self._channel.send(op="file", id=call, name=name)
            while sent < most:
                block = file.read(min(CHUNK, most - sent))
                if not block:
                    break
                sent += len(block)
                self._channel.send(block, op="chunk", id=call)
            self._channel.send(op="end", id=call)
        return sent

    def _refuse(self, call: str, name: str, why: str) -> None:
        self._channel.send(op="refused", id=call, name=name[:200], why=why)

    @staticmethod
    def _state(status: os.stat_result) -> tuple[int, ...]:
        return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
