"""The text of a Word document: paragraphs and tables in their order."""

from collections.abc import Iterator
from typing import BinaryIO

from docx import Document
from docx.document import Document as OpenDocument
from docx.table import Table, _Cell


def read(file: BinaryIO) -> Iterator[str]:
    yield "\n".join(_lines(Document(file)))


def _lines(container: OpenDocument | _Cell) -> Iterator[str]:
    for block in container.iter_inner_content():
        if isinstance(block, Table):
            yield from _rows(block)
        else:
            yield block.text


def _rows(table: Table) -> Iterator[str]:
    for row in table.rows:
        # Merged cells are given once for each column that they cover.
        cells = {id(cell._tc): cell for cell in row.cells}.values()  # noqa: SLF001 - the library has no other identity
        yield "\t".join(" ".join(_lines(cell)) for cell in cells)
