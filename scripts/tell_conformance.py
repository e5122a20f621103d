"""The table of docs/compatibility.md that is measured: this server, asked by the conformance suite."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from runstead.conformance.client import open_session
from runstead.conformance.evidence import Evidence
from runstead.conformance.report import Tally, covered, reasons
from runstead.conformance.suite import Result, Target, run
from scripts.stage import stage

BEGIN, END = "<!-- written by scripts/tell-conformance -->\n", "<!-- end of what was written -->\n"


def table() -> str:
    """The table, and under it what did not pass."""
    evidence = Evidence()
    with stage() as running:
        results = asyncio.run(_ask(Target(running.url, "scripted", running.model_url), evidence))
    lines = ["| area | checks | v1 | v2 |", "| --- | --- | --- | --- |"]
    lines += [_row(area, results) for area in dict.fromkeys(result.area for result in results)]
    lines += ["", f"Covered: {covered(evidence.counts)}. In all {Tally.of(results)}."]
    for outcome in ("failed", "skipped"):
        lines += [f"- {outcome}: {reason}" for reason in reasons(results, outcome)]
    return "\n".join(lines) + "\n"


def with_table(page: str, written: str) -> str:
    """A page with the table in its place."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{written}{END}{after}"


def _row(area: str, results: Sequence[Result]) -> str:
    here = [result for result in results if result.area == area]
    cells = [_cell([result for result in here if result.wire == wire]) for wire in ("v1", "v2")]
    return f"| {area} | {len({result.name for result in here})} | {' | '.join(cells)} |"


def _cell(results: Sequence[Result]) -> str:
    tally = Tally.of(results)
    return f"{tally.passed} passed" if tally.passed == len(results) else str(tally)


async def _ask(target: Target, evidence: Evidence) -> list[Result]:
    async with open_session("any-key") as session:
        return [result async for result in run(target, session, evidence)]


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_table(path.read_text(encoding="utf-8"), table()), encoding="utf-8")
