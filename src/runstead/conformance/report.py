"""Results as people and programs read them: a table, JSON, and a badge."""

from collections.abc import Iterable, Sequence
from html import escape

import msgspec
from msgspec import Struct

from runstead.conformance.suite import Outcome, Result


class Tally(Struct):
    """How many checks came to what."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    @classmethod
    def of(cls, results: Iterable[Result]) -> "Tally":
        """The counts of some results."""
        outcomes = [result.outcome for result in results]
        return cls(outcomes.count("passed"), outcomes.count("failed"), outcomes.count("skipped"))

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def table(results: Sequence[Result]) -> str:
    """A line for each area, and one for all."""
    rows = [("area", "passed", "failed", "skipped")]
    for area in dict.fromkeys(result.area for result in results):
        tally = Tally.of(result for result in results if result.area == area)
        rows.append((area, str(tally.passed), str(tally.failed), str(tally.skipped)))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        f"{row[0]:<{widths[0]}}  "
        + "  ".join(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    )


def reasons(results: Iterable[Result], outcome: Outcome) -> list[str]:
    """Why checks came to this, a line each; the two wires share one if they say the same."""
    found: dict[tuple[str, str | None], list[Result]] = {}
    for result in results:
        if result.outcome == outcome:
            found.setdefault((result.name, result.reason), []).append(result)
    return [
        f"{name} ({' and '.join(result.wire for result in group)}): {group[0].fact}\n    {reason}"
        for (name, reason), group in found.items()
    ]


def covered(counts: dict[str, int]) -> str:
    """What the checks have seen of the API."""
    return ", ".join(f"{count} {what}" for what, count in counts.items())


def as_json(base_url: str, results: Sequence[Result], counts: dict[str, int]) -> bytes:
    """Everything, for programs."""
    tally = Tally.of(results)
    found = {"server": base_url, "total": tally, "covered": counts, "results": results}
    return msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"


def badge(tally: Tally) -> str:
    """A small SVG that fetches nothing: the share of checks that passed among those that ran."""
    ran = tally.passed + tally.failed
    label, words = "Assistants API", f"{tally.passed}/{ran} checks" if ran else "not checked"
    colour = (
        "#9f9f9f" if not ran else "#3a8f3a" if not tally.failed else "#b58900" if tally.passed > ran / 2 else "#c0392b"
    )
    left, right = 7 * len(label) + 12, 7 * len(words) + 12
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
        f'aria-label="{escape(label)}: {escape(words)}">'
        f'<rect width="{left}" height="20" fill="#444"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">'
        f'<text x="{left / 2:g}" y="14">{escape(label)}</text>'
        f'<text x="{left + right / 2:g}" y="14">{escape(words)}</text></g></svg>\n'
    )
