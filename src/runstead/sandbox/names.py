"""Names of files on their way in and out. What comes out was named by an attacker, and is never opened here under that name."""

import re
from collections.abc import Sequence

from runstead.ports import CodeFile
from runstead.sandbox.policy import DATA

LONGEST = 255
"""Bytes of a name, as file systems have it."""
DEEPEST = 8
_UNWANTED = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufffd/\\]")
"""What ends lines, turns the direction of writing, hides, or means a folder."""


def places(files: Sequence[CodeFile]) -> list[str]:
    """A name below /mnt/data for each file, in order. Of originals that bear one name all but the first get their id in it."""
    taken: set[str] = set()
    found = []
    for file in files:
        if file.is_output:
            found.append(file.name)
            continue
        name = wanted = _harmless(file.name)
        if name in taken:
            name = _marked(wanted, file.file_id or "")
        count = 2
        while name in taken:
            name = _marked(wanted, f"{file.file_id or ''}-{count}")
            count += 1
        taken.add(name)
        found.append(name)
    return found


def paths(files: Sequence[CodeFile]) -> list[str]:
    """Where code finds each file."""
    return [f"{DATA}/{name}" for name in places(files)]


def is_plain(name: str) -> bool:
    """Whether a name that came out of a session can be shown to people and programs as it is."""
    parts = name.split("/")
    return len(parts) <= DEEPEST + 1 and all(
        part not in ("", ".", "..") and len(part.encode("utf-8", "replace")) <= LONGEST and not _UNWANTED.search(part)
        for part in parts
    )


def shown(name: str) -> str:
    """A name in a sentence, whatever it holds."""
    return "/".join(_UNWANTED.sub("\ufffd", part) for part in name[:80].split("/"))


def _harmless(name: str) -> str:
    """The last part of an uploaded file's name, as a name that Python code can open."""
    last = _UNWANTED.sub("_", re.split(r"[/\\]", name)[-1]).strip() or "file"
    if last.startswith("."):
        # Hidden ones are not looked at on the way out, and nobody should wonder where a file went.
        last = f"_{last[1:]}"
    while len(last.encode()) > LONGEST - 80:
        stem, dot, ending = last.rpartition(".")
        last = f"{stem[:-1]}{dot}{ending}" if len(stem) > 1 and len(ending) < 20 else last[:-1]
    return last


def _marked(name: str, mark: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return f"{stem}-{mark}{dot}{ending}" if stem else f"{name}-{mark}"
