"""What the suites of scripts/test came to: a line each, then one for all. A suite without a test has failed."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from xml.etree import ElementTree


@dataclass(frozen=True)
class Outcome:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, report: Path) -> Self:
        """The counts of one pytest run. No report means that it died before it could write one: a failure."""
        if not report.exists():
            return cls(failed=1)
        suites = ElementTree.parse(report).getroot().iter("testsuite")  # noqa: S314 - pytest wrote it a moment ago
        return sum((cls._of_suite(suite.attrib) for suite in suites), cls())

    @classmethod
    def _of_suite(cls, counts: dict[str, str]) -> Self:
        failed = int(counts["failures"]) + int(counts["errors"])
        skipped = int(counts["skipped"])
        return cls(int(counts["tests"]) - failed - skipped, failed, skipped, float(counts["time"]))

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
            self.seconds + other.seconds,
        )

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"

    @property
    def is_empty(self) -> bool:
        return self.passed + self.failed == 0


def main(reports: Path, names: list[str]) -> int:
    outcomes = {name: Outcome.of(reports / f"{name}.xml") for name in names}
    print("\n== summary")
    for name, outcome in outcomes.items():
        remark = "   no test ran: that is a failure" if outcome.is_empty else ""
        print(f"{name:32} {outcome} in {outcome.seconds:.1f} s{remark}")
    total = sum(outcomes.values(), Outcome())
    print(total)
    return int(total.failed > 0 or not outcomes or any(outcome.is_empty for outcome in outcomes.values()))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
