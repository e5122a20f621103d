"""The text of slides: their shapes, tables and groups, and the speaker's notes."""

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from pptx import Presentation


def read(file: BinaryIO) -> Iterator[str]:
    for slide in Presentation(file).slides:
        lines = list(_lines(slide.shapes))
        if slide.has_notes_slide and (notes := slide.notes_slide.notes_text_frame) is not None:
            lines.append(notes.text)
        yield "\n".join(lines)


def _lines(shapes: Iterable[Any]) -> Iterator[str]:
    for shape in shapes:
        # Only a group has shapes of its own; groups nest no deeper than the XML may.
        if hasattr(shape, "shapes"):
            yield from _lines(shape.shapes)
        elif shape.has_text_frame:
            yield shape.text_frame.text
        elif shape.has_table:
            for row in shape.table.rows:
                yield "\t".join(cell.text for cell in row.cells)
