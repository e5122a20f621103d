"""Gathers what a session says during one call, and believes none of it: everything is counted, cut, and looked at.

The session keeps the limits by itself where its code is friendly. Where it is not, the first frame beyond them ends it.
"""

from runstead.ports import CodeFile
from runstead.sandbox import names
from runstead.sandbox.limits import Limits
from runstead.sandbox.protocol import Chunk, Done, End, File, Frame, Garbled, Image, Ran, Ready, Refused, Text, words
from runstead.sandbox.spool import Spool

PNG = b"\x89PNG\r\n\x1a\n"
LARGEST_PICTURE = 20_000
"""Pixels along one side: small files can claim pictures that fill whoever opens them."""
MOST_NOTES = 10
REASONS = {
    "name": "its name holds characters that file names should not have",
    "kind": "it is not a regular file",
    "count": "a call may give back {files} files and {images} images",
    "size": "a call may give back {disk} MiB of files, and images of {image} MiB",
}


class Harvest:
    """One call's outcome while it grows."""

    def __init__(self, call: str, limits: Limits) -> None:
        self.call = call
        self.images: list[CodeFile] = []
        self.files: list[CodeFile] = []
        self.notes: list[str] = []
        self.has_ended = self.is_done = self.was_cut = self.is_ok = False
        self._limits = limits
        self._logs = bytearray()
        self._open: Spool | None = None
        self._name: str | None = None
        self._is_image = False
        self._left = limits.disk + limits.images * limits.image
        self._begun = self._refused = 0

    @property
    def logs(self) -> str:
        """All output so far, as text that can be stored."""
        return words(bytes(self._logs))

    async def take(self, frame: Frame, raw: bytes) -> None:
        """Count a frame in. Raises Garbled if it makes no sense here or passes a limit; frames of other calls are dropped."""
        if frame.id != self.call or isinstance(frame, Ready):
            return
        match frame:
            case Text():
                self._read(raw)
            case Image():
                self._begin(None)
            case File(name=name):
                self._begin(name)
            case Chunk():
                await self._add(raw)
            case End():
                self._finish()
            case Refused(name=name, why=why):
                self._refuse(name, why)
            case Ran(ok=ok, cut=cut):
                self.has_ended, self.is_ok = True, ok
                self.was_cut |= cut
            case Done():
                self.is_done = True

    def _read(self, raw: bytes) -> None:
        room = self._limits.logs - len(self._logs)
        self._logs += raw[: max(room, 0)]
        if len(raw) > room:
            self.was_cut = True
            # A session stops at the limit by itself; one that does not may send what it likes to nobody.
            self._spend(len(raw))

    def _begin(self, name: str | None) -> None:
        self._begun += 1
        if self._open is not None or self._begun > self._limits.files + self._limits.images:
            raise Garbled("more files than it may have")
        self._open, self._name, self._is_image = Spool(), name, name is None

    async def _add(self, raw: bytes) -> None:
        if self._open is None:
            raise Garbled("a piece of nothing")
        self._spend(len(raw))
        if self._is_image and self._open.size + len(raw) > self._limits.image:
            raise Garbled("a larger image than it may have")
        await self._open.write(raw)

    def _spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise Garbled("more bytes than it may have")

    def _finish(self) -> None:
        if self._open is None:
            raise Garbled("an end of nothing")
        spool, self._open = self._open, None
        if self._name is None:
            if not is_png(spool.beginning):
                self._note("An image was not kept: it is not a PNG of a sensible size.")
            elif len(self.images) < self._limits.images:
                name = f"image-{len(self.images) + 1}.png"
                self.images.append(CodeFile(name=name, file_id=None, size=spool.size, read=spool.read, is_output=True))
        elif not names.is_plain(self._name):
            self._refuse(self._name, "name")
        elif len(self.files) < self._limits.files:
            self.files.append(CodeFile(name=self._name, file_id=None, size=spool.size, read=spool.read, is_output=True))

    def _refuse(self, name: str, why: str) -> None:
        self._refused += 1
        if self._refused > self._limits.files * 100:
            raise Garbled("more refusals than anybody reads")
        limits = self._limits
        reason = REASONS.get(why, "it cannot be read").format(
            files=limits.files, images=limits.images, disk=limits.disk >> 20, image=limits.image >> 20
        )
        self._note(f"{names.shown(name)} was not kept: {reason}.")

    def _note(self, sentence: str) -> None:
        if len(self.notes) < MOST_NOTES:
            self.notes.append(sentence)
        elif len(self.notes) == MOST_NOTES:
            self.notes.append("More files were not kept for reasons like these.")


def is_png(beginning: bytes) -> bool:
    """Whether these are the first bytes of a PNG that can be opened without fear for one's memory."""
    if not beginning.startswith(PNG) or beginning[12:16] != b"IHDR" or len(beginning) < 24:
        return False
    width, height = (int.from_bytes(beginning[start : start + 4], "big") for start in (16, 20))
    return 0 < width <= LARGEST_PICTURE and 0 < height <= LARGEST_PICTURE
