"""Refuses archives that would fill the memory of whoever inflates them."""

import zipfile

from runstead.domain.errors import ExtractionFailed

MOST_PARTS = 20_000
LARGEST_PART = 100 * 1024 * 1024
"""Bytes of one part of XML: what a parser makes of it takes several times as much."""
LARGEST = 512 * 1024 * 1024
HARMLESS = 10 * 1024 * 1024
"""Inflated bytes below which nobody asks for the ratio."""
HIGHEST_RATIO = 200
"""Real documents stay below 50."""
_BLOCK = 64 * 1024


def refuse_bombs(archive: zipfile.ZipFile) -> None:
    """Judge what the archive declares, then inflate it once to see whether that is true; nothing is kept.

    Raises ExtractionFailed, or BadZipFile for declarations that lie: each part is read to its declared end, and what
    is there then has another checksum.
    """
    parts = archive.infolist()
    if any(part.flag_bits & 1 for part in parts):
        raise ExtractionFailed(
            "invalid_file", "The file could not be parsed: it is encrypted. Upload it without its password."
        )
    if len(parts) > MOST_PARTS:
        raise _bomb(f"its archive has {len(parts)} parts")
    declared = sum(part.file_size for part in parts)
    packed = sum(part.compress_size for part in parts)
    largest = max((part.file_size for part in parts if not _is_media(part)), default=0)
    if declared > LARGEST:
        raise _bomb(f"it would take {declared // 2**20} MiB inflated")
    if largest > LARGEST_PART:
        raise _bomb(f"one of its parts would take {largest // 2**20} MiB inflated")
    if declared > HARMLESS and declared > HIGHEST_RATIO * max(1, packed):
        raise _bomb(f"it inflates to {declared // max(1, packed)} times its size")
    for part in parts:
        with archive.open(part) as inflating:
            while inflating.read(_BLOCK):
                pass


def _is_media(part: zipfile.ZipInfo) -> bool:
    return not part.filename.lower().endswith((".xml", ".rels", ".bin", ".vml"))


def _bomb(why: str) -> ExtractionFailed:
    return ExtractionFailed("invalid_file", f"The file could not be parsed because it is too large: {why}.")
