"""The cells of a workbook: a line a row, a heading a sheet."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import BinaryIO

from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from runstead.domain.errors import ExtractionFailed
from runstead.search.parsing.pdf import ENCRYPTED


def read(file: BinaryIO) -> Iterator[str]:
    try:
        workbook = CalamineWorkbook.from_filelike(file)
        for name in workbook.sheet_names:
            sheet = workbook.get_sheet_by_name(name)
            lines = ["\t".join(map(_shown, row)).rstrip() for row in sheet.iter_rows()]
            yield "\n".join([name, *filter(None, lines)]) if any(lines) else ""
    except PasswordError:
        raise ExtractionFailed("invalid_file", ENCRYPTED) from None
    except CalamineError as error:
        raise ExtractionFailed(
            "invalid_file", "The file could not be parsed: it is damaged, or not the workbook that it says it is."
        ) from error


def _shown(cell: float | str | bool | time | date | datetime | timedelta) -> str:
    # Every number in a workbook is a float.
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
