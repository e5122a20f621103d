"""The line to the server: a length, a JSON head, and as many raw bytes as the head says."""

from __future__ import annotations

import json
import os
import struct
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    # At run time it would cost a tenth of the start.
    from typing import Any

CHUNK = 256 * 1024


class Channel:
    """The two ends that lead to the server. Only whole frames are written, whatever interrupts."""

    def __init__(self) -> None:
        self._source, self._sink = os.dup(0), os.dup(1)
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        # A forked child is none of the server's partners, and must not hold the line open after us.
        for descriptor in (self._source, self._sink):
            os.close(descriptor)
        self._source = self._sink = -1

    def send(self, raw: bytes = b"", **head: Any) -> None:
        """Write one frame."""
        encoded = json.dumps(dict(head, raw=len(raw))).encode()
        data = memoryview(struct.pack(">I", len(encoded)) + encoded + raw)
        with self._lock:
            while data:
                data = data[os.write(self._sink, data) :]

    def receive(self) -> tuple[dict[str, Any], bytes]:
        """One frame as its head and its raw bytes; the end of everything when the server is gone."""
        (length,) = struct.unpack(">I", self._exactly(4))
        head = json.loads(self._exactly(length))
        return head, self._exactly(head.get("raw", 0))

    def _exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            block = os.read(self._source, min(count - len(data), CHUNK))
            if not block:
                os._exit(0)
            data += block
        return bytes(data)
