"""Text, source code and data that is text: decoded, and otherwise left as it is."""

import codecs
from collections.abc import Iterator
from typing import BinaryIO

from runstead.domain.errors import ExtractionFailed
from runstead.search.text_limit import LONGEST_TEXT, TooMuchText

# The longer marks first: the one of UTF-16 is the beginning of the one of UTF-32.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE = 64 * 1024
_BLANKS = b"\t\n\r\f\v\b\x1b"


def read(file: BinaryIO) -> Iterator[str]:
    yield decode(file)


def decode(file: BinaryIO) -> str:
    """The whole file as text. Raises ExtractionFailed for what is not text, or not in an encoding of Unicode."""
    # No encoding takes more than four bytes for what takes one in ours.
    data = file.read(4 * LONGEST_TEXT + 1)
    if len(data) > 4 * LONGEST_TEXT:
        raise TooMuchText
    mark, encoding = next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", ""))
    encoding = encoding or guess(data)
    try:
        return data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        place = f"byte {error.start + len(mark)} is 0x{error.object[error.start]:02x}"
        raise ExtractionFailed(
            "invalid_file",
            f"The file could not be parsed: it is not text in UTF-8, UTF-16 or ASCII ({place}). Save it as UTF-8.",
        ) from None


def guess(data: bytes) -> str:
    """The encoding of what bears no mark. Raises ExtractionFailed for what can be no text."""
    sample = data[:_SAMPLE]
    half = max(1, len(sample) // 2)
    # Every other byte of Latin text in UTF-16 is a zero.
    if sample[1::2].count(0) > half // 2 > sample[0::2].count(0):
        return "utf-16-le"
    if sample[0::2].count(0) > half // 2 > sample[1::2].count(0):
        return "utf-16-be"
    controls = sum(byte < 0x20 and byte not in _BLANKS for byte in sample)
    if controls > len(sample) // 20:
        raise ExtractionFailed("unsupported_file", "The file type is not supported: it is binary data, not text.")
    return "utf-8"
