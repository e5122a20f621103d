"""The text of a PDF's pages, as far as it is text: what was scanned is a picture."""

from collections.abc import Iterator
from typing import BinaryIO

from runstead.domain.errors import ExtractionFailed

SCANNED = "The file could not be parsed: it has pages but no text. Scanned pages are pictures; run text recognition (OCR) first."
ENCRYPTED = "The file could not be parsed: it is encrypted. Upload it without its password."


def read(file: BinaryIO) -> Iterator[str]:
    import pypdfium2  # noqa: PLC0415 - loaded only by the child that needs it

    try:
        document = pypdfium2.PdfDocument(file)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise ExtractionFailed("invalid_file", ENCRYPTED) from None
        file.seek(0)
        yield from _read_leniently(file)
        return
    has_text = False
    for number in range(len(document)):
        page = document[number]
        text = page.get_textpage().get_text_range()
        has_text = has_text or (not text.isspace() and text != "")
        yield text
        page.close()
    if not has_text:
        raise ExtractionFailed("invalid_file", SCANNED)


def _read_leniently(file: BinaryIO) -> Iterator[str]:
    """What the first engine gave up on: the second rebuilds a lost table of contents in more cases."""
    import pypdf  # noqa: PLC0415 - loaded only when it is needed

    try:
        document = pypdf.PdfReader(file)
        if document.is_encrypted:
            raise ExtractionFailed("invalid_file", ENCRYPTED)
        texts = [page.extract_text() for page in document.pages]
    except (
        pypdf.errors.PyPdfError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        RecursionError,
    ) as error:
        # It was not made for damaged files: what it stumbles over is of any kind.
        raise ExtractionFailed(
            "invalid_file", "The file could not be parsed: it is damaged, or not the PDF that it says it is."
        ) from error
    if not any(text.strip() for text in texts):
        raise ExtractionFailed("invalid_file", SCANNED)
    yield from texts
