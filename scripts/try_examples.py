"""Runs the examples of a language, as they stand, against a server whose model says what each of them needs.

`python -m scripts.stage python -m scripts.try_examples node "$PWD/examples/node/{}.mjs"`: the braces stand for the example,
which runs in a folder of its own. What a machine cannot run is skipped with its reason and counted.
"""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal
from urllib.request import Request, urlopen

from scripts.stage import packages

PATIENCE = 60
MODEL = "gpt-4o"
WORDS = "Once upon a time it ended."
NO_SANDBOX = "code_interpreter is not available on this server"
"""What a run says on a machine where no sandbox holds; the reason follows."""
DRAWING = """
import matplotlib.pyplot as plt
import pandas as pd

table = pd.read_csv("/mnt/data/sales.csv").dropna()
table.plot(x="month", y="sales", marker="o", title="Sales")
plt.show()
table.to_csv("/mnt/data/clean.csv", index=False)
"""


@dataclass(frozen=True)
class Example:
    """What the model says in it, what has to be printed, and what is wrong with the files it leaves, if anything is."""

    name: str
    turns: list[Any]
    printed: tuple[str, ...]
    trouble_in: Callable[[Path], str | None] = lambda _: None
    needs_packages: bool = False


def trouble_in_plots(folder: Path) -> str | None:
    """The picture is a PNG with something in it, and the table has lost the month without sales."""
    picture, table = folder / "image-1.png", (folder / "clean.csv").read_text()
    if not picture.read_bytes().startswith(b"\x89PNG\r\n\x1a\n") or picture.stat().st_size < 5000:
        return f"{picture.name} is not a plot of {picture.stat().st_size} bytes"
    rows = [(row["month"], float(row["sales"])) for row in csv.DictReader(io.StringIO(table))]
    wanted = [("January", 12), ("March", 17), ("April", 21)]
    return None if rows == wanted else f"clean.csv holds {table!r}"


EXAMPLES = [
    Example(
        "switch",
        [{"text": "A conversation that is kept."}],
        ("What is a thread?", "A conversation that is kept.", "ompleted and used"),
    ),
    Example(
        "function_calling",
        [
            {"tool_calls": [{"name": "get_weather", "arguments": '{"city": "Oslo"}'}]},
            {"text": "It is 12 degrees in Oslo, and clear."},
        ],
        ('The model calls get_weather({"city": "Oslo"})', "It is 12 degrees in Oslo, and clear."),
    ),
    Example("streaming", [{"text": WORDS}], (f"{WORDS}\n",)),
    Example(
        "documents",
        [
            {"tool_calls": [{"name": "file_search", "arguments": '{"query": "Oslo closed"}'}]},
            {"text": "It is closed in July【0:0†source】."},
        ],
        ("1 of 1 files can be searched.", "It is closed in July [1].", "[1] handbook.txt"),
    ),
    Example(
        "plots",
        [
            {"tool_calls": [{"name": "code_interpreter", "arguments": json.dumps({"code": DRAWING})}]},
            {"text": "The sales rise. Here is [the table](sandbox:/mnt/data/clean.csv)."},
        ],
        ("The sales rise.", "Downloaded image-1.png", "Downloaded clean.csv"),
        trouble_in_plots,
        needs_packages=True,
    ),
]

Outcome = Literal["passed", "failed", "skipped"]


def write_script(turns: list[Any]) -> None:
    url = f"{os.environ['SCRIPTED_URL'].removesuffix('/v1')}/scripts/{MODEL}"
    with urlopen(Request(url, json.dumps({"turns": turns}).encode(), method="PUT"), timeout=PATIENCE):  # noqa: S310
        pass


def outcome_of(example: Example, command: list[str], folder: Path) -> tuple[Outcome, str]:
    """What came of an example in a folder, and why."""
    if example.needs_packages and packages() is None:
        return "skipped", "the packages that code may import are not there: runstead sandbox prepare"
    write_script(example.turns)
    here = [part.replace("{}", example.name) for part in command]
    try:
        done = subprocess.run(here, capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=folder)
    except subprocess.TimeoutExpired:
        return "failed", f"it took more than {PATIENCE} seconds"
    _, is_lacking, reason = done.stderr.partition(NO_SANDBOX)
    if done.returncode != 0 and is_lacking:
        return "skipped", f"{is_lacking}{reason.strip()}"
    if done.returncode != 0:
        return "failed", f"it ended with {done.returncode}: {done.stderr.strip()[-500:]}"
    for words in example.printed:
        if words not in done.stdout:
            return "failed", f"it did not print {words!r}, but {done.stdout!r}"
    trouble = example.trouble_in(folder)
    return ("passed", "") if trouble is None else ("failed", trouble)


def main(command: list[str]) -> int:
    counts: dict[Outcome, int] = {"passed": 0, "failed": 0, "skipped": 0}
    shown = {"passed": "ok", "failed": "not ok", "skipped": "skipped"}
    for example in EXAMPLES:
        with TemporaryDirectory() as folder:
            outcome, reason = outcome_of(example, command, Path(folder))
        counts[outcome] += 1
        print(f"{shown[outcome]}: {example.name}{reason and f': {reason}'}")
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return int(counts["failed"] > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
