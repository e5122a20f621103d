"""Cuts a byte stream into whole lines, wherever the network cut it; characters are never split, bytes never lost."""

MAX_LINE = 8 * 1024 * 1024
"""Bytes. A longer line is no chunk of anything, and would be held in memory until it ends."""


class LineTooLong(Exception):
    """The stream went on for MAX_LINE bytes without a line's end."""


class SseLines:
    """Holds the line that has not ended yet."""

    def __init__(self, max_line: int = MAX_LINE) -> None:
        self._max_line = max_line
        # A list, because appending to bytes would copy a long line once per read.
        self._begun: list[bytes] = []
        self._begun_size = 0

    def feed(self, data: bytes) -> bytes:
        r"""The whole lines that are complete now, joined by \n, without the last \n; empty if there are none.

        Raises LineTooLong.
        """
        cut = data.rfind(b"\n")
        if cut < 0:
            self._keep(data)
            return b""
        block = data[:cut]
        if self._begun:
            self._begun.append(block)
            block = b"".join(self._begun)
            self._begun.clear()
            self._begun_size = 0
        if cut + 1 < len(data):
            self._keep(data[cut + 1 :])
        return block

    def rest(self) -> bytes:
        """What came after the last line's end. A stream's last line may lack one."""
        rest = b"".join(self._begun)
        self._begun.clear()
        self._begun_size = 0
        return rest

    def _keep(self, data: bytes) -> None:
        self._begun.append(data)
        self._begun_size += len(data)
        if self._begun_size > self._max_line:
            raise LineTooLong
