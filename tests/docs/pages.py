"""Reads the documentation's pages: their tables, code blocks and links."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/**/*.md"))]


def read(name: str) -> str:
    """A page by its path in the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    """What stands under a heading, up to the next one of any level. Raises KeyError."""
    for part in re.split(r"^(?=#)", page, flags=re.MULTILINE):
        first, _, rest = part.partition("\n")
        if first.lstrip("#").strip() == heading:
            return rest
    raise KeyError(heading)


def rows(text: str) -> list[list[str]]:
    """The cells of every table row that is neither a heading nor a rule, backticks removed."""
    lines = text.splitlines()
    found: list[list[str]] = []
    for above, line in zip(["", *lines], lines, strict=False):
        is_rule = re.fullmatch(r"\|[-| ]+\|", line) is not None
        if is_rule and found and above.startswith("|"):
            found.pop()
        elif line.startswith("|") and not is_rule:
            found.append([cell.strip().replace("`", "") for cell in line.strip("|").split("|")])
    return found


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def links(page: str) -> list[str]:
    """Where a page leads, anchors and other sites left out."""
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", page)
    return [target for target in targets if "://" not in target]
