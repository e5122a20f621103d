"""What code prints, and what its children and libraries print, told to the server as it comes."""

from __future__ import annotations

import fcntl
import io
import os
import struct
import sys
import termios
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    # At run time it would cost a tenth of the start.
    from .channel import Channel

OFTEN = 0.01
BLOCK = 65536
MOST_DROPPED = 64


class Output(io.TextIOBase):
    """Standard output and error. What passes the limit is dropped here, before it costs anything more."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self._heard_at = 0.0

    encoding = "utf-8"
    errors = "replace"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not %s" % type(text).__name__)
        if self._capture.left > 0:
            data = memoryview(text[: self._capture.left + 1].encode("utf-8", "replace"))
            while data:
                data = data[os.write(1, data) :]
            if text.endswith("\n") and time.monotonic() > self._heard_at + OFTEN:
                # What follows may be a computation that lets no other thread run, and be ended for it.
                self._capture.flush()
                self._heard_at = time.monotonic()
        elif text:
            self._capture.was_cut = True
        return len(text)


class Capture:
    """Descriptors 1 and 2 as one pipe, so that children and libraries are heard too, in their order."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._source, sink = os.pipe()
        os.set_blocking(self._source, False)
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        os.close(null)
        os.close(sink)
        self._lock = threading.Lock()
        self.left, self.was_cut, self.call = 0, False, ""
        sys.stdin = open(0)
        sys.stdout, sys.stderr = Output(self), Output(self)
        threading.Thread(target=self._forward, daemon=True).start()

    def begin(self, call: str, limit: int) -> None:
        with self._lock:
            self._drop()
            self.call, self.left, self.was_cut = call, limit, False

    def _drop(self) -> None:
        # What is still here was written for a call that is over, unless somebody writes without end.
        for _ in range(MOST_DROPPED):
            try:
                os.read(self._source, BLOCK)
            except BlockingIOError:
                return

    def flush(self) -> None:
        """Wait until what was written has been sent, but not for those who write without end."""
        for _ in range(200):
            with self._lock:
                waiting = struct.unpack("i", fcntl.ioctl(self._source, termios.FIONREAD, b"\0" * 4))[0]
                if not waiting or self.left <= 0:
                    return
            threading.Event().wait(0.001)

    def _forward(self) -> None:
        while True:
            select_readable(self._source)
            with self._lock:
                try:
                    data = os.read(self._source, BLOCK)
                except BlockingIOError:
                    # The next call has begun, and wanted none of it.
                    continue
                kept = data[: max(self.left, 0)]
                self.was_cut |= len(kept) < len(data)
                self.left -= len(kept)
                if kept:
                    self._channel.send(kept, op="text", id=self.call)


def select_readable(descriptor: int) -> None:
    """Wait for data without taking it: who takes it holds the lock, so that flush knows it is on its way."""
    import select

    select.select([descriptor], [], [])
