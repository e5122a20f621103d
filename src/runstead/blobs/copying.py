"""A copy of a folder of contents, taken while others add to it and delete from it."""

import os
import shutil
from pathlib import Path


def copy_folder(source: Path, target: Path) -> int:
    """Copy every whole file, so that it lasts; how many there were. A file that goes away meanwhile is left out.

    Contents never change under their name, so a file that is there is the file that its row speaks of.
    """
    count = 0
    for folder, _, names in os.walk(source):
        place = target / Path(folder).relative_to(source)
        place.mkdir(parents=True, exist_ok=True)
        for name in names:
            # What is still being uploaded has a number for a suffix.
            if "#" not in name:
                count += _copy(Path(folder) / name, place / name)
    return count


def _copy(source: Path, target: Path) -> bool:
    try:
        reading = source.open("rb")
    except FileNotFoundError:
        return False
    with reading, target.open("xb") as writing:
        shutil.copyfileobj(reading, writing, 2**20)
        writing.flush()
        os.fsync(writing.fileno())
    return True
