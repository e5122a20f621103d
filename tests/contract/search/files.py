"""Files of every format that is read, made here, so that a test can also make them wrong."""

import io
import struct
import zipfile
import zlib

from docx import Document
from pptx import Presentation
from xlsxwriter import Workbook

SENTENCE = "The lighthouse keeper counts the ships."


def pdf(*pages: str, encrypt: bytes = b"") -> bytes:
    """The smallest PDF that shows a line a page; a page of nothing is what a scanner makes, less its picture."""
    streams = [f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode() if text else b"" for text in pages]
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for i, stream in enumerate(streams):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * i} 0 R "
            f"/Resources << /Font << /F1 3 0 R >> >> >>".encode()
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer << /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, encrypt, start)
    return bytes(out)


def encrypted_pdf() -> bytes:
    """One that wants a password nobody has."""
    key = b"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >> /ID [<00> <00>]" % (b"41" * 32, b"42" * 32)
    return pdf(SENTENCE, encrypt=key)


def docx(*paragraphs: str) -> bytes:
    document = Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    table = document.add_table(rows=1, cols=2)
    table.cell(0, 0).text, table.cell(0, 1).text = "left", "right"
    return _saved(document)


def pptx(text: str, notes: str) -> bytes:
    show = Presentation()
    slide = show.slides.add_slide(show.slide_layouts[5])
    slide.shapes.title.text = text
    slide.notes_slide.notes_text_frame.text = notes
    return _saved(show)


def xlsx(cells: dict[str, str | float]) -> bytes:
    out = io.BytesIO()
    with Workbook(out) as book:
        sheet = book.add_worksheet("Ships")
        for place, value in cells.items():
            sheet.write(place, value)
    return out.getvalue()


def archive(parts: dict[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in parts.items():
            made.writestr(name, content)
    return out.getvalue()


def with_part(document: bytes, name: str, content: bytes) -> bytes:
    """The same archive with one part replaced or added."""
    with zipfile.ZipFile(io.BytesIO(document)) as given:
        parts: dict[str, str | bytes] = {part: given.read(part) for part in given.namelist()}
    return archive(parts | {name: content})


def bomb(mebibytes: int) -> bytes:
    """A Word document with a part of so many blanks."""
    return with_part(docx(SENTENCE), "word/padding.xml", b" " * (mebibytes * 2**20))


def lying_bomb(mebibytes: int) -> bytes:
    """The same, but it declares a thousand bytes."""
    made = bomb(mebibytes)
    true, told = struct.pack("<I", mebibytes * 2**20), struct.pack("<I", 1000)
    assert true in made
    return made.replace(true, told)


def compound(part: str) -> bytes:
    """The beginning of an old program's file, with the name of a part in its directory."""
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 504 + part.encode("utf-16-le") + b"\0" * 512


def png() -> bytes:
    return b"\x89PNG\r\n\x1a\n" + zlib.compress(b"\0" * 100)


def _saved(document) -> bytes:
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()
