"""How much text one file may give, and the text's cleanliness."""

from collections.abc import Iterable

from runstead.domain.errors import ExtractionFailed

LONGEST_TEXT = 24 * 1024 * 1024
"""Bytes of UTF-8. API: the original takes 5,000,000 tokens of a file, which is a little less."""


class TooMuchText(ExtractionFailed):
    """More than LONGEST_TEXT."""

    def __init__(self) -> None:
        # API: its words, up to the colon.
        super().__init__(
            "invalid_file",
            "The file could not be parsed because it is too large: "
            f"it holds more than {LONGEST_TEXT // 2**20} MiB of text. Split it.",
        )


def collect(parts: Iterable[str]) -> bytes:
    """The parts as one text in clean UTF-8. Raises TooMuchText before it takes much more memory than that."""
    collected: list[bytes] = []
    length = 0
    for part in parts:
        cleaned = clean(part).encode()
        length += len(cleaned) + 2
        if length > LONGEST_TEXT:
            raise TooMuchText
        if cleaned.strip():
            collected.append(cleaned)
    return b"\n\n".join(collected)


def clean(text: str) -> str:
    """Without what no client could store or print: pairs of surrogates are joined, lone ones and U+0000 replaced."""
    text = text.replace("\0", "\ufffd").replace("\r\n", "\n")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
