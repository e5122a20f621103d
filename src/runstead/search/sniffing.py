"""What a file holds, by its first bytes and, for an archive, by the names in it. Its own name decides last."""

import zipfile
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import BinaryIO, TypeAlias

from runstead.domain.errors import ExtractionFailed
from runstead.domain.formats import extension
from runstead.search.zip_limits import refuse_bombs

Parser: TypeAlias = Callable[[BinaryIO], Iterator[str]]

_HEAD = 4096
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FOREIGN = (
    (b"\x89PNG\r\n", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"RIFF", "a picture, a sound or a film"),
    (b"II*\x00", "a picture"),
    (b"MM\x00*", "a picture"),
    (b"\x1f\x8b", "a compressed file"),
    (b"BZh", "a compressed file"),
    (b"\xfd7zXZ", "a compressed file"),
    (b"7z\xbc\xaf", "an archive"),
    (b"Rar!", "an archive"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
    (b"SQLite format 3", "a database"),
    (b"ID3", "a sound"),
    (b"OggS", "a sound"),
    (b"{\\rtf", "a file in the RTF format; save it as docx"),
)
# An archive that has this in it is read by that parser.
_PACKAGED = (
    ("word/document.xml", "word"),
    ("ppt/presentation.xml", "slides"),
    ("xl/workbook.xml", "sheets"),
    ("xl/workbook.bin", "sheets"),
)
# A compound file that has this among its parts is of that format.
_COMPOUNDED = (
    ("EncryptedPackage", None, "it is encrypted. Upload it without its password."),
    ("WordDocument", None, "the old Word format is not supported; save it as docx."),
    ("PowerPoint Document", None, "the old PowerPoint format is not supported; save it as pptx."),
    ("Workbook", "sheets", ""),
    ("Book", "sheets", ""),
)
_PDF_WITHIN = 1024


def parser_of(file: BinaryIO, filename: str) -> Parser:
    """The parser for what the file holds. Raises ExtractionFailed if there is none, or if it would be dangerous."""
    head = file.read(_HEAD)
    file.seek(0)
    if not head:
        raise ExtractionFailed("invalid_file", "The file could not be parsed: it is empty.")
    return _parser(_kind(file, head, filename))


def _kind(file: BinaryIO, head: bytes, filename: str) -> str:
    if b"%PDF-" in head[:_PDF_WITHIN]:
        return "pdf"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _kind_of_archive(file)
    if head.startswith(_COMPOUND):
        return _kind_of_compound(file)
    for magic, what in _FOREIGN:
        if head.startswith(magic):
            raise ExtractionFailed("unsupported_file", f"The file type is not supported: it is {what}.")
    beginning = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if extension(filename) in ("html", "htm", "xhtml") or beginning.startswith((b"<!doctype html", b"<html")):
        return "html"
    return "plain"


def _kind_of_archive(file: BinaryIO) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
            kind = next((kind for name, kind in _PACKAGED if name in names), None)
            if kind is None and "content.xml" in names and b"spreadsheet" in _declared_type(archive):
                kind = "sheets"
            if kind is None:
                raise ExtractionFailed(
                    "unsupported_file", "The file type is not supported: it is an archive; upload the files in it."
                )
            refuse_bombs(archive)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError) as error:
        raise ExtractionFailed(
            "invalid_file", "The file could not be parsed: its archive is damaged or incomplete."
        ) from error
    file.seek(0)
    return kind


def _declared_type(archive: zipfile.ZipFile) -> bytes:
    if "mimetype" not in archive.namelist():
        return b""
    with archive.open("mimetype") as declared:
        return declared.read(200)


def _kind_of_compound(file: BinaryIO) -> str:
    # Names of its parts are in its directory, wherever that lies, in UTF-16.
    data = file.read()
    file.seek(0)
    for name, kind, refusal in _COMPOUNDED:
        if name.encode("utf-16-le") in data:
            if kind is not None:
                return kind
            sentence = f"The file could not be parsed: {refusal}"
            raise ExtractionFailed("invalid_file" if name == "EncryptedPackage" else "unsupported_file", sentence)
    raise ExtractionFailed("unsupported_file", "The file type is not supported: no known program's format.")


def _parser(kind: str) -> Parser:
    # Loaded one by one: a child parses a single file, and some parsers take longer to load than a file to read.
    read: Parser = import_module(f"runstead.search.parsing.{kind}").read
    return read
