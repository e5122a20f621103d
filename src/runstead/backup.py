"""`runstead backup`: a folder from which a single node can be brought back, taken while its server runs.

The folder appears under its name when everything in it is checked and on the disk, and not before.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from runstead import __version__, app
from runstead.domain.errors import RunsteadError
from runstead.settings import Settings

DATABASE = "runstead.db"
FILES = "files"
"""Both as they are called in a data folder."""
MANIFEST = "backup.json"
"""Written last of all: what holds it is a whole backup, and nothing else may be replaced by one."""


class CannotBackUp(RunsteadError):
    """Why there is no backup, in a sentence with a remedy."""


class Backup(msgspec.Struct, frozen=True):
    """What a backup says of itself."""

    release: str
    schema: int
    taken_at: int
    files: int
    bytes: int


def back_up(settings: Settings, destination: Path, *, force: bool) -> Backup:
    """Copy the database, then the contents of files and what finds them. Raises CannotBackUp or UnusableDatabase; then nothing is there."""
    if settings.is_postgres:
        raise CannotBackUp(
            "This data is in PostgreSQL, which has backups of its own: pg_dump, or a base backup with archived WAL. "
            "docs/operations.md says what else belongs to one."
        )
    destination = destination.absolute()
    _refuse_what_is_there(destination, force=force)
    try:
        with _appearing(destination) as folder:
            # First of all: whatever its rows speak of was on the disk before they were committed.
            taken_at = int(time.time())
            schema = app.copy_store(settings.database_path, folder / DATABASE)
            app.copy_index(settings, folder)
            count = app.copy_blobs(settings, folder / FILES)
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            backup = Backup(__version__, schema, taken_at, count, size)
            _write(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(backup)))
    except OSError as error:
        raise CannotBackUp(f"{destination} cannot be written: {error.strerror or error}.") from error
    return backup


def _refuse_what_is_there(destination: Path, *, force: bool) -> None:
    if not destination.parent.is_dir():
        raise CannotBackUp(f"The folder {destination.parent} is not there; make it, or name another place.")
    if not os.path.lexists(destination):
        return
    if not (destination / MANIFEST).is_file():
        raise CannotBackUp(f"{destination} is there and is no backup; name another place.")
    if not force:
        raise CannotBackUp(f"{destination} is a backup already; name another place, or replace it with --force.")


@contextmanager
def _appearing(destination: Path) -> Iterator[Path]:
    """A folder that takes its name at the end of the block, or leaves nothing behind."""
    folder = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", suffix=".partial", dir=destination.parent))
    try:
        yield folder
        for inner, _, _ in os.walk(folder):
            _sync(Path(inner))
        _rename(folder, destination)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _rename(folder: Path, destination: Path) -> None:
    outdated = folder.with_suffix(".outdated")
    if destination.exists():
        destination.rename(outdated)
    folder.rename(destination)
    _sync(destination.parent)
    if outdated.exists():
        shutil.rmtree(outdated)


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
