"""Runs the examples of a language, as they stand, against a server whose model says what each of them needs.

`python -m scripts.stage python -m scripts.try_examples switch,streaming node examples/node/{}.mjs`: the braces stand for the
example.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

PATIENCE = 60
MODEL = "gpt-4o"
WORDS = "Once upon a time it ended."


@dataclass(frozen=True)
class Example:
    """What the model says in it, and what has to be printed."""

    name: str
    turns: list[Any]
    printed: tuple[str, ...]


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
]


def write_script(turns: list[Any]) -> None:
    url = f"{os.environ['SCRIPTED_URL'].removesuffix('/v1')}/scripts/{MODEL}"
    with urlopen(Request(url, json.dumps({"turns": turns}).encode(), method="PUT"), timeout=PATIENCE):  # noqa: S310
        pass


def trouble_with(example: Example, command: list[str]) -> str | None:
    """What is wrong with an example, if anything is."""
    write_script(example.turns)
    here = [part.replace("{}", example.name) for part in command]
    try:
        done = subprocess.run(here, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return f"it took more than {PATIENCE} seconds"
    if done.returncode != 0:
        return f"it ended with {done.returncode}: {done.stderr.strip()[-500:]}"
    missing = [words for words in example.printed if words not in done.stdout]
    return f"it did not print {missing[0]!r}, but {done.stdout!r}" if missing else None


def main(names: str, command: list[str]) -> int:
    passed = 0
    wanted = [next(each for each in EXAMPLES if each.name == name) for name in names.split(",")]
    for example in wanted:
        trouble = trouble_with(example, command)
        passed += trouble is None
        print(f"ok: {example.name}" if trouble is None else f"not ok: {example.name}: {trouble}")
    failed = len(wanted) - passed
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
