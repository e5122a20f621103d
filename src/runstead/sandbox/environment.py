"""The packages that model-written code may import: a folder of their own, that nothing of the server's lies in.

`prepare` fills it from the locked list beside this file, every package checked against its hash, and from a list of the
operator's own. It is made beside its place and moved there when it is whole, so that a broken download leaves what was.
"""

import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import distributions
from pathlib import Path

import msgspec
from msgspec import Struct

from runstead.domain.errors import RunsteadError
from runstead.sandbox import pip
from runstead.sandbox.interpreter import Interpreter

LOCK = Path(__file__).parent / "packages.txt"
MANIFEST = "runstead-packages.json"
FONTS = "fonts"
KNOWN = ("numpy", "pandas", "scipy", "matplotlib", "pillow", "openpyxl", "scikit-learn", "seaborn", "sympy")
"""What a model is told by version; the others it hears of by name."""
FONT_CACHE = """
import json, os, pathlib, matplotlib.font_manager
for path in pathlib.Path(os.environ["MPLCONFIGDIR"]).glob("fontlist-*.json"):
    told = json.loads(path.read_text())
    # Fonts of this machine are not seen inside; only those that came with the package are.
    for kind in ("ttflist", "afmlist"):
        told[kind] = [one for one in told[kind] if not os.path.isabs(one["fname"])]
    path.write_text(json.dumps(told))
"""

Progress = Callable[[str], None]


class PackagesUnavailable(RunsteadError):
    """The packages could not be fetched or kept; the sentence says what to do."""


class Manifest(Struct, frozen=True):
    """What a folder of packages says of itself."""

    series: str
    stamp: str
    packages: dict[str, str]


class Environment(Struct, frozen=True):
    """A prepared folder."""

    folder: Path
    manifest: Manifest

    @property
    def series(self) -> str:
        """The Python that its packages are compiled for."""
        return self.manifest.series

    def describe(self) -> str:
        """What a model is told of it."""
        packages = self.manifest.packages
        told = [f"{name} {packages[name]}" for name in KNOWN if name in packages]
        return ", ".join([*told, *sorted(name for name in packages if name not in KNOWN)])


def find(data_dir: Path) -> Environment | None:
    """What `prepare` made, or None."""
    folder = home(data_dir)
    try:
        return Environment(folder, msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest))
    except (OSError, msgspec.DecodeError):
        return None


def home(data_dir: Path) -> Path:
    """Where the packages lie."""
    return data_dir / "sandbox" / "packages"


def prepare(data_dir: Path, chosen: Interpreter, extra: Path | None, progress: Progress) -> Environment:
    """Fetch the packages unless they are there. Safe to repeat and to interrupt. Raises PackagesUnavailable."""
    folder = home(data_dir)
    try:
        stamp = _stamp(chosen, extra)
        found = find(data_dir)
        if found is not None and found.manifest.stamp == stamp:
            progress(f"The packages are there: {folder}")
            return found
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside its place, so that the last step is a rename within one file system.
        with tempfile.TemporaryDirectory(prefix="prepare-", dir=folder.parent) as workshop:
            made = Path(workshop) / "packages"
            _fill(made, chosen, extra, progress)
            packages = {one.metadata["Name"].lower(): one.version for one in distributions(path=[str(made)])}
            (made / MANIFEST).write_bytes(msgspec.json.encode(Manifest(chosen.series, stamp, packages)))
            _readable(made)
            if folder.exists():
                folder.rename(Path(workshop) / "old")
            made.rename(folder)
    except OSError as error:
        raise PackagesUnavailable(
            f"The packages cannot be kept in {folder}: {error.strerror or error}. Make room or give write permission "
            "there, or set RUNSTEAD_DATA_DIR to another folder."
        ) from error
    progress(f"{len(packages)} packages are ready: {folder}")
    return Environment(folder, Manifest(chosen.series, stamp, packages))


def _fill(made: Path, chosen: Interpreter, extra: Path | None, progress: Progress) -> None:
    progress("Fetching the packages for model-written code (about 130 MB) …")
    locked = ["--require-hashes", "--no-deps", "--requirement", str(LOCK)]
    _install(made, chosen, locked, progress)
    if extra is not None:
        progress(f"Fetching what {extra} asks for …")
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
            constraints.writelines(f"{line}\n" for line in _pins())
            constraints.flush()
            _install(made, chosen, ["--constraint", constraints.name, "--requirement", str(extra)], progress)
    if (made / "matplotlib").is_dir():
        progress("Looking up fonts …")
        environment = {
            "PYTHONPATH": str(made),
            "MPLCONFIGDIR": str(made / FONTS),
            "MPLBACKEND": "agg",
            "HOME": "/nowhere",
        }
        (made / FONTS).mkdir()
        # Without this list matplotlib makes it in every session anew; with none it still works.
        subprocess.run(  # noqa: S603 - our own arguments
            [chosen.executable, "-s", "-c", FONT_CACHE], env=environment, capture_output=True, timeout=300, check=False
        )


def _install(made: Path, chosen: Interpreter, what: Sequence[str], progress: Progress) -> None:
    try:
        pip.install(made, chosen, what, progress)
    except pip.Failed as failed:
        raise PackagesUnavailable(str(failed)) from None


def _pins() -> list[str]:
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    return [line.rstrip("\\ ") for line in lines if line and not line.startswith(("#", " "))]


def _stamp(chosen: Interpreter, extra: Path | None) -> str:
    told = [chosen.series, LOCK.read_text(encoding="utf-8")]
    if extra is not None:
        told.append(extra.read_text(encoding="utf-8"))
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _readable(folder: Path) -> None:
    """Let everybody read it: whoever runs the code owns nothing."""
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    folder.chmod(0o755)
